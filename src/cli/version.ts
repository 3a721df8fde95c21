import { print } from '../output.ts';
import { commit, VERSION } from '../version.ts';
import type { Command } from './command.ts';

export const version: Command = {
  name: 'version',
  summary: 'print version, commit and Bun version',
  options: { json: { type: 'boolean', help: 'as JSON' } },
  async run(args) {
    const facts = { version: VERSION, commit: commit(), bun: Bun.version };
    print(
      args.flags.json
        ? `${JSON.stringify(facts)}\n`
        : `bve ${facts.version} (commit ${facts.commit.slice(0, 12)}, Bun ${facts.bun})\n`,
    );
    return 0;
  },
};
