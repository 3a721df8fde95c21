import { InlineCode } from '../../ui/inline-code.tsx';
import { type OpenApiDocument, resolve, type Schema } from './openapi.ts';
import { boundsOf, propertiesOf, typeText } from './schema-text.ts';

interface SchemaViewProps {
  readonly document: OpenApiDocument;
  readonly schema: Schema;
  readonly depth?: number;
}

const DEPTH_MAX = 5;

/** The properties of an object, those of inner objects folded away. */
export function SchemaView({ document, schema, depth = 0 }: SchemaViewProps) {
  const properties = propertiesOf(document, schema);
  if (properties.length === 0 || depth > DEPTH_MAX) {
    return depth === 0 ? <p class="schema-type">{typeText(document, schema)}</p> : null;
  }
  return (
    <ul class="schema">
      {properties.map(({ name, schema: property, required }) => {
        const inner = propertiesOf(document, property);
        return (
          <li key={name}>
            <p>
              <code class="property">{name}</code> <span class="schema-type">{typeText(document, property)}</span>
              {required && <span class="required"> required</span>}
            </p>
            <Description document={document} schema={property} />
            {inner.length > 0 && depth < DEPTH_MAX && (
              <details>
                <summary>{inner.length === 1 ? '1 property' : `${inner.length} properties`}</summary>
                <SchemaView document={document} schema={property} depth={depth + 1} />
              </details>
            )}
          </li>
        );
      })}
    </ul>
  );
}

export function Description({ document, schema }: { document: OpenApiDocument; schema: Schema }) {
  const target = resolve<Schema>(document, schema);
  const text = schema.description ?? target?.description ?? '';
  const bounds = target === null ? [] : boundsOf(target);
  if (text === '' && bounds.length === 0) return null;
  return (
    <p class="muted">
      <InlineCode text={[text, bounds.join(', ')].filter(Boolean).join(text.endsWith('.') ? ' ' : '; ')} />
    </p>
  );
}
