import { useState } from 'preact/hooks';
import { Segments } from '../../ui/choice.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { InlineCode } from '../../ui/inline-code.tsx';
import type { MediaContent, OpenApiDocument, Operation, OperationAnswer, Parameter } from './openapi.ts';
import { Prose } from './prose.tsx';
import { exampleOf, typeText } from './schema-text.ts';
import { Description, SchemaView } from './schema-view.tsx';

interface OperationProps {
  readonly document: OpenApiDocument;
  readonly operation: Operation;
}

export function OperationView({ document, operation }: OperationProps) {
  const { id, method, path, summary, description, security, parameters, body, answers } = operation;
  return (
    <section class="operation" id={id} aria-labelledby={`${id}-title`}>
      <div class="operation-text">
        <h3 id={`${id}-title`}>{summary || `${method} ${path}`}</h3>
        <p class="operation-path">
          <span class={`method ${method.toLowerCase()}`}>{method}</span> <code>{path}</code>
          {operation.deprecated && <span class="required"> deprecated</span>}
        </p>
        <Prose text={description} />
        <p class="muted">
          <InlineCode text={security.length === 0 ? 'Needs no key.' : `Needs: ${security.join(', or ')}`} />
        </p>
        {parameters.length > 0 && <Parameters document={document} parameters={parameters} />}
        {body && (
          <>
            <h4>
              Body <span class="muted">{body.required ? 'required' : 'optional'}</span>
            </h4>
            <Prose text={body.description} />
            <Contents document={document} contents={body.contents} />
          </>
        )}
        <h4>Answers</h4>
        <ul class="answers">
          {answers.map((answer) => (
            <li key={answer.status}>
              <AnswerView document={document} answer={answer} />
            </li>
          ))}
        </ul>
      </div>
      <div class="operation-code">
        <CodeBlock label="curl" text={curl(document, operation)} />
        <Examples document={document} answers={answers} />
      </div>
    </section>
  );
}

function Parameters({ document, parameters }: { document: OpenApiDocument; parameters: readonly Parameter[] }) {
  return (
    <>
      <h4>Parameters</h4>
      <ul class="schema">
        {parameters.map((parameter) => (
          <li key={`${parameter.in} ${parameter.name}`}>
            <p>
              <code class="property">{parameter.name}</code>{' '}
              <span class="schema-type">
                {parameter.schema ? typeText(document, parameter.schema) : 'string'}, in {parameter.in}
              </span>
              {parameter.required && <span class="required"> required</span>}
            </p>
            {parameter.description && <Prose text={parameter.description} />}
            {parameter.schema && <Description document={document} schema={parameter.schema} />}
          </li>
        ))}
      </ul>
    </>
  );
}

function Contents({ document, contents }: { document: OpenApiDocument; contents: readonly MediaContent[] }) {
  return (
    <>
      {contents.map(({ mediaType, schema }) => (
        <div key={mediaType}>
          <p class="schema-type">{mediaType}</p>
          {schema && <SchemaView document={document} schema={schema} />}
        </div>
      ))}
    </>
  );
}

function AnswerView({ document, answer }: { document: OpenApiDocument; answer: OperationAnswer }) {
  const tone = answer.status.startsWith('2') ? 'ok' : answer.status.startsWith('5') ? 'error' : 'warn';
  const head = (
    <>
      <span class={`status-code ${tone}`}>{answer.status}</span> {answer.description}
    </>
  );
  if (answer.contents.every(({ schema }) => schema === null)) return <p class="answer-head">{head}</p>;
  return (
    <details>
      <summary>{head}</summary>
      <Contents document={document} contents={answer.contents} />
    </details>
  );
}

/** The bodies of the answers, the successful one first. */
function Examples({ document, answers }: { document: OpenApiDocument; answers: readonly OperationAnswer[] }) {
  const shown = answers.flatMap(({ status, contents }) =>
    contents.slice(0, 1).flatMap(({ examples, schema, mediaType }) => {
      const value = examples[0]?.value ?? (schema && /json/.test(mediaType) ? exampleOf(document, schema) : undefined);
      return value === undefined
        ? []
        : { status, text: typeof value === 'string' ? value : JSON.stringify(value, null, 2) };
    }),
  );
  const [chosen, setChosen] = useState(shown[0]?.status ?? '');
  const example = shown.find(({ status }) => status === chosen) ?? shown[0];
  if (example === undefined) return null;
  return (
    <>
      {shown.length > 1 && (
        <Segments
          label="Answer"
          value={example.status}
          options={shown.map(({ status }) => ({ value: status, label: status }))}
          onChange={setChosen}
        />
      )}
      <CodeBlock label={`Answer ${example.status}`} text={example.text} />
    </>
  );
}

function curl(document: OpenApiDocument, { method, path, security, body, parameters }: Operation): string {
  const url = `${location.origin}${path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => name.toUpperCase())}`;
  const needed = parameters.filter((one) => one.in === 'query' && one.required).map(({ name }) => `${name}=…`);
  const lines = [
    `curl ${method === 'GET' ? '' : `-X ${method} `}"${url}${needed.length ? `?${needed.join('&')}` : ''}"`,
  ];
  if (security.length > 0) lines.push(`-H "Authorization: Bearer $${keyVariable(path)}"`);
  const json = body?.contents.find(({ mediaType }) => /json/.test(mediaType));
  if (json) {
    const example = json.examples[0]?.value ?? (json.schema ? exampleOf(document, json.schema) : {});
    lines.push('-H "Content-Type: application/json"');
    lines.push(`-d '${JSON.stringify(example, null, 2).replaceAll("'", `'\\''`)}'`);
  } else if (body?.contents.some(({ mediaType }) => mediaType.startsWith('multipart/'))) lines.push('-F file=@FILE');
  return lines.join(' \\\n  ');
}

function keyVariable(path: string): string {
  if (path.startsWith('/admin')) return 'ADMIN_API_KEY';
  return path === '/metrics' ? 'METRICS_TOKEN' : 'BVE_API_KEY';
}
