import { describe, expect, test } from 'bun:test';
import { fillIn, GUIDES, guideBlocks, parseGuides } from '../../src/dashboard/app/pages/connect/guides.ts';

describe('the set-up of clients, from docs/clients.md', () => {
  test('is there for each client', () => {
    const names = GUIDES.map(({ name }) => name);
    for (const name of [
      'curl',
      'OpenAI SDK',
      'Anthropic SDK',
      'AI SDK',
      'LangChain',
      'Claude Code',
      'Codex',
      'Cursor',
      'Open WebUI',
      'LibreChat',
      'Continue',
      'aider',
    ]) {
      expect(names).toContain(name);
      expect(guideBlocks(name, { origin: 'http://gw' }).length).toBeGreaterThan(0);
    }
  });

  test('has the reader’s address, key and model in it, and nothing of the example is left', () => {
    const values = { origin: 'http://10.0.0.5:8080', key: 'sk-bve-mine', model: 'my-model' };
    for (const { name } of GUIDES) {
      const text = guideBlocks(name, values)
        .map((block) => block.text)
        .join('\n');
      expect(text).not.toContain('gateway.example.com');
      expect(text).not.toContain('YOUR-KEY');
      expect(text).not.toContain('gpt-4o');
      expect(`${name}: ${text}`).toContain('http://10.0.0.5:8080');
    }
    expect(fillIn('https://gateway.example.com/v1', { origin: 'http://a' })).toBe('http://a/v1');
  });

  test('gives each client the base URL that it wants', () => {
    const text = (name: string) =>
      guideBlocks(name, { origin: 'http://gw' })
        .map((block) => block.text)
        .join('\n');
    for (const name of ['OpenAI SDK', 'AI SDK', 'LangChain', 'Codex', 'Open WebUI', 'LibreChat', 'Continue', 'aider']) {
      expect(text(name)).not.toMatch(/http:\/\/gw(?!\/v1)/);
    }
    for (const name of ['Anthropic SDK', 'Claude Code']) expect(text(name)).not.toContain('http://gw/v1');
  });

  test('is read from headings, paragraphs and blocks of code, up to the mark', () => {
    const text =
      '# Title\nIntro\n## A\nOne\ntwo.\n\n```bash\nx\n\ny\n```\nThree\n<!-- The dashboard shows what is above this line. -->\n## B\nno';
    expect(parseGuides(text)).toEqual([
      {
        name: 'A',
        blocks: [
          { kind: 'text', label: '', text: 'One two.' },
          { kind: 'code', label: 'Shell', text: 'x\n\ny' },
          { kind: 'text', label: '', text: 'Three' },
        ],
      },
    ]);
  });
});
