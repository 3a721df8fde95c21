/** The API reference, made from /openapi.json of this gateway. It needs no key. */

import { useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, errorOf, unreachable } from '../../api/api-error.ts';
import { reportAnswer, reportNoAnswer } from '../../api/connection-monitor.ts';
import { Brand } from '../../shell/brand.tsx';
import { ThemeSwitch } from '../../shell/theme-switch.tsx';
import { useQuery } from '../../state/use-query.ts';
import { Page } from '../../ui/page.tsx';
import { SearchField } from '../../ui/search-field.tsx';
import { Empty, Loaded } from '../../ui/states.tsx';
import { groupsOf, type OpenApiDocument, type Operation, type OperationGroup } from './openapi.ts';
import { OperationView } from './operation-view.tsx';
import { Prose } from './prose.tsx';

export function DocsPage() {
  const query = useQuery('openapi', loadDocument);
  const [menuOpen, setMenuOpen] = useState(false);
  const [text, setText] = useState('');
  const groups = useMemo(() => (query.data ? groupsOf(query.data) : []), [query.data]);
  const found = useMemo(() => findOperations(groups, text), [groups, text]);
  return (
    <div class={menuOpen ? 'shell docs menu-open' : 'shell docs'}>
      <a class="skip-link" href="#content">
        Skip to the content
      </a>
      <header class="side">
        <Brand menuOpen={menuOpen} onToggleMenu={() => setMenuOpen(!menuOpen)} />
        <nav aria-label="Operations">
          <SearchField label="Find an operation" value={text} onChange={setText} />
          <div class="docs-nav">
            {found.map((group) => (
              <div key={group.name}>
                <h2>{group.name}</h2>
                <ul>
                  {group.operations.map((operation) => (
                    <li key={operation.id}>
                      <a href={`#${operation.id}`} title={operation.summary} onClick={() => setMenuOpen(false)}>
                        <span class={`method ${operation.method.toLowerCase()}`}>{shortMethod(operation.method)}</span>
                        <span class="docs-nav-path">{operation.path}</span>
                      </a>
                    </li>
                  ))}
                </ul>
              </div>
            ))}
          </div>
          <ThemeSwitch />
        </nav>
      </header>
      <div class="content">
        <Page title="API reference">
          <Loaded query={query} rows={10}>
            {(document) => <Reference document={document} groups={found} text={text} />}
          </Loaded>
        </Page>
      </div>
    </div>
  );
}

interface ReferenceProps {
  readonly document: OpenApiDocument;
  readonly groups: readonly OperationGroup[];
  readonly text: string;
}

function Reference({ document: api, groups, text }: ReferenceProps) {
  useEffect(() => {
    // The part that the address names was not there when the browser looked for it.
    if (location.hash.length > 1) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, []);
  return (
    <>
      {text === '' && (
        <div class="docs-intro">
          <Prose text={api.info?.description ?? ''} />
          <p class="muted">
            Version {api.info?.version ?? 'unknown'}. The document itself: <a href="/openapi.json">/openapi.json</a>
          </p>
        </div>
      )}
      {groups.length === 0 && <Empty title={text === '' ? 'The document has no operations' : 'No operation matches'} />}
      {groups.map((group) => (
        <section key={group.name} class="operation-group" aria-label={group.name}>
          <h2>{group.name}</h2>
          <Prose text={group.description} />
          {group.operations.map((operation) => (
            <OperationView key={operation.id} document={api} operation={operation} />
          ))}
        </section>
      ))}
    </>
  );
}

async function loadDocument(signal: AbortSignal): Promise<OpenApiDocument> {
  let response: Response;
  try {
    response = await fetch('/openapi.json', { signal });
    reportAnswer();
  } catch (error) {
    if (signal.aborted) throw error;
    reportNoAnswer();
    throw unreachable();
  }
  if (!response.ok) throw await errorOf(response);
  const document = (await response.json().catch(() => null)) as OpenApiDocument | null;
  if (typeof document?.paths !== 'object') {
    throw new ApiError('/openapi.json is not an OpenAPI document.', { kind: 'refused' });
  }
  return document;
}

function findOperations(groups: readonly OperationGroup[], text: string): OperationGroup[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...groups];
  const matches = ({ method, path, summary }: Operation) => {
    const all = `${method} ${path} ${summary}`.toLowerCase();
    return words.every((word) => all.includes(word));
  };
  return groups
    .map((group) => ({ ...group, operations: group.operations.filter(matches) }))
    .filter(({ operations }) => operations.length > 0);
}

function shortMethod(method: string): string {
  return method === 'DELETE' ? 'DEL' : method === 'PATCH' ? 'PAT' : method;
}
