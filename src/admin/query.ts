/** The query of an admin call. A parameter that is given twice is refused: two readers could take different ones. */
import { repeatedParameter, unknownParameter } from './refused-input.ts';

export type Query = ReadonlyMap<string, string>;

/** Without empty parameters: `?key_id=&from=&to=` asks for everything. @throws GatewayError invalid_request */
export function queryOf(url: string): Query {
  const start = url.indexOf('?');
  const seen = new Set<string>();
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(start === -1 ? '' : url.slice(start + 1))) {
    if (seen.has(name)) throw repeatedParameter(name);
    seen.add(name);
    if (value !== '') query.set(name, value);
  }
  return query;
}

/** @throws GatewayError invalid_request naming the first that is none of these, empty ones too */
export function onlyParameters(url: string, names: readonly string[]): Query {
  const start = url.indexOf('?');
  for (const name of new URLSearchParams(start === -1 ? '' : url.slice(start + 1)).keys()) {
    if (!names.includes(name)) throw unknownParameter(name);
  }
  return queryOf(url);
}
