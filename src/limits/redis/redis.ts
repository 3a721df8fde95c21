/** Loaded only when REDIS_URL is set, with the library behind it. */
export { RedisLimiter } from './redis-limiter.ts';
export { RedisLink } from './redis-link.ts';
export { parseRedisUrl } from './redis-url.ts';
