/** Parses query parameters of the admin API. A repeated parameter is an error: parsers disagree on which value counts. */
import { invalidField, repeatedParameter, unknownParameter } from './refused-input.ts';

/** Parameters by name. Empty ones are left out: `?key_id=&from=&to=` means no filter. */
export type Query = ReadonlyMap<string, string>;

/** @throws GatewayError invalid_request */
export function queryOf(url: string): Query {
  const seen = new Set<string>();
  const query = new Map<string, string>();
  for (const [name, value] of parametersOf(url)) {
    if (seen.has(name)) throw repeatedParameter(name);
    seen.add(name);
    if (value !== '') query.set(name, value);
  }
  return query;
}

/** As `queryOf`, for a route that accepts only these parameters. @throws GatewayError invalid_request */
export function onlyParameters(url: string, names: readonly string[]): Query {
  for (const name of parametersOf(url).keys()) {
    if (!names.includes(name)) throw unknownParameter(name);
  }
  return queryOf(url);
}

/** @throws GatewayError invalid_request */
export function integerFrom(query: Query, name: string, min: number, max: number): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidField(name, `a whole number from ${min} to ${max}`);
}

/** @throws GatewayError invalid_request */
export function choiceFrom<C extends string>(query: Query, name: string, choices: readonly C[]): C | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw invalidField(name, `one of ${choices.join(', ')}`);
  return choice;
}

function parametersOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : url.slice(start + 1));
}
