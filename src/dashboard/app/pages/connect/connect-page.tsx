/** Copy-ready set-up for every client. */
import { useState } from 'preact/hooks';
import { setParameters, useAddress } from '../../state/router.ts';
import { CodeBlock } from '../../ui/code-block.tsx';
import { CopyButton } from '../../ui/copy-button.tsx';
import { InlineCode } from '../../ui/inline-code.tsx';
import { Page } from '../../ui/page.tsx';
import { fillIn, GUIDES } from './guides.ts';

export function ConnectPage() {
  const { query } = useAddress();
  const [model, setModel] = useState('');
  const guide = GUIDES.find(({ name }) => name === query.get('client')) ?? GUIDES[0]!;
  const values = { origin: location.origin, model: model.trim() };
  return (
    <Page title="Connect">
      <div class="connect-head">
        <BaseUrl label="Base URL for OpenAI's clients" url={`${location.origin}/v1`} />
        <BaseUrl label="Base URL for Anthropic's clients" url={location.origin} />
        <label class="field">
          <span>Model in the examples</span>
          <input
            value={model}
            placeholder="gpt-4o"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setModel(event.currentTarget.value)}
          />
        </label>
      </div>
      <p class="muted">
        Put a client key for <code>sk-bve-YOUR-KEY</code>. You get one when you{' '}
        <a href="/dashboard/keys">create a key</a>, with these lines filled in.
      </p>
      <div class="with-side">
        <nav class="side-list" aria-label="Clients">
          <ul>
            {GUIDES.map(({ name }) => (
              <li key={name}>
                <a
                  href={`/dashboard/connect?client=${encodeURIComponent(name)}`}
                  aria-current={name === guide.name ? 'true' : undefined}
                  onClick={(event) => {
                    event.preventDefault();
                    setParameters({ client: name });
                  }}
                >
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <section class="guide" aria-label={guide.name}>
          <h2>{guide.name}</h2>
          {guide.blocks.map((block) =>
            block.kind === 'code' ? (
              <CodeBlock key={block.text} label={block.label} text={fillIn(block.text, values)} />
            ) : (
              <p key={block.text}>
                <InlineCode text={fillIn(block.text, values)} />
              </p>
            ),
          )}
        </section>
      </div>
    </Page>
  );
}

function BaseUrl({ label, url }: { label: string; url: string }) {
  return (
    <div class="field">
      <span>{label}</span>
      <span class="copy-line">
        <code>{url}</code>
        <CopyButton text={url} what={label} />
      </span>
    </div>
  );
}
