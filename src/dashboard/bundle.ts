/**
 * The files of the web application. In the binary they are embedded by the HTML import, from source they are bundled once,
 * on first use. Either way every file has the hash of its contents in its name, except the page itself.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { commit, VERSION } from '../version.ts';
import page from './app/index.html';

export interface BundleFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** null: compression does not make it smaller (fonts). */
  readonly gzipped: Uint8Array<ArrayBuffer> | null;
  readonly contentType: string;
  /** Quoted, as in a header. */
  readonly etag: string;
}

interface Bundle {
  readonly page: BundleFile;
  /** By the name behind ASSETS_PATH. */
  readonly assets: ReadonlyMap<string, BundleFile>;
}

interface BuiltFile {
  readonly name: string;
  readonly contentType: string;
  readonly isPage: boolean;
  readonly content: Blob;
}

export const ASSETS_PATH = '/dashboard/assets/';

const compress = promisify(gzip);
let loading: Promise<Bundle> | undefined;

export function loadBundle(): Promise<Bundle> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(): Promise<Bundle> {
  const files = page.files === undefined ? await build(page.index) : page.files.map(embedded);
  const names = files.map((file) => file.name);
  let html: BundleFile | undefined;
  const assets = new Map<string, BundleFile>();
  for (const file of files) {
    const bytes = await contentOf(file, names);
    if (file.isPage) html = await served(bytes, file.contentType);
    else assets.set(file.name, await served(bytes, file.contentType));
  }
  if (html === undefined) throw new Error('the bundle of the dashboard has no page');
  return { page: html, assets };
}

function embedded(file: NonNullable<typeof page.files>[number]): BuiltFile {
  return {
    name: nameOf(file.path),
    contentType: file.headers['content-type'],
    isPage: file.loader === 'html',
    content: Bun.file(file.path),
  };
}

async function build(index: string): Promise<BuiltFile[]> {
  const { outputs } = await Bun.build({ entrypoints: [index], target: 'browser', minify: true });
  return outputs.map((output) => ({
    name: nameOf(output.path),
    contentType: output.type,
    isPage: output.path.endsWith('.html'),
    content: output,
  }));
}

/** Text with its references to other files of the bundle under ASSETS_PATH, whatever the bundler made of them. */
async function contentOf(file: BuiltFile, names: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  if (!/^text\//.test(file.contentType)) return new Uint8Array(await file.content.arrayBuffer());
  let text = await file.content.text();
  for (const name of names) text = text.replaceAll(new RegExp(`(["'(])\\.?/${name}`, 'g'), `$1${ASSETS_PATH}${name}`);
  if (file.isPage) text = text.replace('BVE_VERSION', `${VERSION} (${commit().slice(0, 12)})`);
  return new TextEncoder().encode(text);
}

async function served(bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<BundleFile> {
  const gzipped = new Uint8Array(await compress(bytes, { level: 9 }));
  return {
    bytes,
    gzipped: gzipped.length < bytes.length * 0.9 ? gzipped : null,
    contentType,
    etag: `"${Bun.hash(bytes).toString(36)}"`,
  };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
