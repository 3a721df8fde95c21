/** Shows a secret, this once, and what to do with it. */
import { useState } from 'preact/hooks';
import { Button } from '../../ui/button.tsx';
import { Segments } from '../../ui/choice.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { CopyButton } from '../../ui/copy-button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { guideBlocks } from '../connect/guides.ts';

interface SecretDialogProps {
  readonly title: string;
  readonly secret: string;
  readonly note?: string;
  readonly onClose: () => void;
}

const FIRST_LINES = ['curl', 'OpenAI SDK', 'Anthropic SDK', 'Claude Code'] as const;

export function SecretDialog({ title, secret, note, onClose }: SecretDialogProps) {
  const [client, setClient] = useState<(typeof FIRST_LINES)[number]>('curl');
  const blocks = guideBlocks(client, { origin: location.origin, key: secret });
  return (
    <Dialog title={title} wide mustBeConfirmed onClose={onClose}>
      <div class="dialog-body">
        <p>
          This is the only time the key is shown. Copy it now: the gateway keeps only a hash of it.
          {note !== undefined && ` ${note}`}
        </p>
        <div class="secret">
          <code>{secret}</code>
          <CopyButton text={secret} what="key" withLabel />
        </div>
        <Segments
          label="Client"
          value={client}
          onChange={setClient}
          options={FIRST_LINES.map((value) => ({ value, label: value }))}
        />
        {blocks.map(({ label, text }) => (
          <CodeBlock key={label + text.slice(0, 40)} label={label} text={text} />
        ))}
        <footer class="dialog-actions">
          <Button kind="primary" onPress={onClose}>
            I have copied it
          </Button>
        </footer>
      </div>
    </Dialog>
  );
}
