import { describe, expect, test } from 'bun:test';
import { parseRedisUrl, type RedisAddress } from '../../src/limits/redis/redis-url.ts';

const PLAIN: RedisAddress = {
  kind: 'single',
  tls: false,
  nodes: [{ host: 'cache', port: 6379 }],
  username: undefined,
  password: undefined,
  database: 0,
  primary: undefined,
};

describe('REDIS_URL', () => {
  test.each<[string, Partial<RedisAddress>]>([
    ['redis://cache', {}],
    ['redis://cache/', {}],
    ['redis://cache:6380/3', { nodes: [{ host: 'cache', port: 6380 }], database: 3 }],
    ['redis://[::1]:6380', { nodes: [{ host: '::1', port: 6380 }] }],
    ['rediss://bve:p%40ss%2Fword@cache', { tls: true, username: 'bve', password: 'p@ss/word' }],
    ['redis://:secret@cache', { password: 'secret' }],
    ['redis://bve@cache', { username: 'bve' }],
    ['redis://bve:a:b@cache', { username: 'bve', password: 'a:b' }],
    [
      'rediss+sentinel://bve:x@a,b:26380/mymaster/2',
      {
        kind: 'sentinel',
        tls: true,
        nodes: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 26_380 },
        ],
        username: 'bve',
        password: 'x',
        primary: 'mymaster',
        database: 2,
      },
    ],
    [
      'redis+cluster://a:7000,b',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 6379 },
        ],
      },
    ],
  ])('%s is understood', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual({ ...PLAIN, ...expected });
  });

  test.each([
    ['', 'must be redis://'],
    ['cache:6379', 'must be redis://'],
    ['http://cache', 'must be redis://'],
    ['redis://', 'must be redis://'],
    ['redis://cache?db=1', 'must be redis://'],
    ['redis+proxy://cache', 'must be redis://'],
    ['redis://a,b', 'several servers'],
    ['redis://a:99999', 'is no HOST:PORT'],
    ['redis://a:0', 'is no HOST:PORT'],
    ['redis://a b', 'is no HOST:PORT'],
    ['redis://:%zz@a', 'percent'],
    ['redis://a/x', 'number of a database'],
    ['redis://a/1/2', 'too many parts'],
    ['redis+sentinel://a', 'name of the primary'],
    ['redis+sentinel://a/m/1/2', 'too many parts'],
    ['redis+cluster://a/1', 'database of a cluster'],
  ])('%s is refused: %s', (url, complaint) => {
    expect(() => parseRedisUrl(url)).toThrow(complaint);
  });
});
