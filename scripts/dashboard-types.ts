/**
 * Writes the types of the admin API that the dashboard uses, from the schemas of the OpenAPI document. A test holds that
 * the file is what the schemas say.
 */
import { join } from 'node:path';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { ADMIN_SCHEMAS } from '../src/openapi/admin-schemas.ts';

const ROOT = join(import.meta.dir, '..');
const FILE = join(ROOT, 'src/dashboard/app/api/admin-api.gen.ts');
const BANNER =
  '/** The bodies of the admin API, made by `bun run generate:types` from src/openapi/admin-schemas.ts. */';

/** The text of the file, formatted as the others are. */
export async function dashboardTypes(): Promise<string> {
  const inline = JSON.stringify(ADMIN_SCHEMAS).replaceAll('#/components/schemas/', '#/definitions/');
  const definitions = JSON.parse(inline) as Record<string, JSONSchema>;
  const references = Object.keys(definitions).map((name) => [name, { $ref: `#/definitions/${name}` }]);
  const all: JSONSchema = { type: 'object', properties: Object.fromEntries(references), definitions };
  const text = await compile(all, 'AdminApi', {
    additionalProperties: false,
    bannerComment: BANNER,
    // A length is checked by the server; in a type it is in the way.
    ignoreMinAndMaxItems: true,
    format: false,
  });
  // Where a type is used is seen by looking for its name.
  const plain = text.replaceAll(/\/\*\*\n \* This interface was referenced by[\s\S]*?\*\/\n/g, '');
  return formatted(plain);
}

async function formatted(text: string): Promise<string> {
  const biome = Bun.spawn(['bunx', 'biome', 'format', `--stdin-file-path=${FILE}`], {
    cwd: ROOT,
    stdin: new Blob([text]),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [result, problem] = await Promise.all([biome.stdout.text(), biome.stderr.text()]);
  if ((await biome.exited) !== 0) throw new Error(`biome cannot format the types: ${problem}`);
  return result;
}

if (import.meta.main) await Bun.write(FILE, await dashboardTypes());
