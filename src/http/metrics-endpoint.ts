/** GET /metrics: with a bearer token beside the API, or open on a port of its own. */
import { timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../errors.ts';
import { bearerToken } from '../keys/credentials.ts';
import { refusal } from './refusal.ts';
import { pathOf, routeNotFound } from './route.ts';

interface MetricsEndpointOptions {
  readonly token: string | undefined;
  readonly contentType: string;
  text(): string | Promise<string>;
}

export class MetricsEndpoint {
  readonly #options: MetricsEndpointOptions;
  readonly #expected: NodeJS.TypedArray | null;

  constructor(options: MetricsEndpointOptions) {
    this.#options = options;
    this.#expected = options.token === undefined ? null : Bun.SHA256.hash(options.token);
  }

  /** Of the API's own port. */
  get needsToken(): boolean {
    return this.#expected !== null;
  }

  /** On the API's own port: only with the token, which is compared in constant time. */
  async handle(request: Request): Promise<Response> {
    const token = bearerToken(request.headers.get('authorization') ?? '');
    if (this.#expected === null || !timingSafeEqual(Bun.SHA256.hash(token), this.#expected)) {
      return refusal(request, new GatewayError('invalid_api_key', 'Invalid metrics token'));
    }
    return this.#answer();
  }

  /** Serves nothing else. @throws when the port cannot be listened on */
  listen(hostname: string, port: number): Bun.Server<undefined> {
    return Bun.serve({
      hostname,
      port,
      development: false,
      fetch: (request) => {
        if (pathOf(request.url) !== '/metrics') return refusal(request, routeNotFound(request));
        if (request.method === 'GET' || request.method === 'HEAD') return this.#answer();
        const message = `Method ${request.method} is not allowed, use GET`;
        return refusal(request, new GatewayError('method_not_allowed', message, { allow: 'GET, HEAD' }));
      },
    });
  }

  async #answer(): Promise<Response> {
    const { contentType, text } = this.#options;
    return new Response(await text(), { headers: { 'content-type': contentType, 'cache-control': 'no-store' } });
  }
}
