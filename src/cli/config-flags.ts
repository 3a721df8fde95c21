/** The flags of `serve` and `check`: `--config`, and one for each option that is not a secret. */

import { flagName, OPTIONS } from '../config/schema.ts';
import type { OptionSpec } from './command.ts';

export const CONFIG_FLAGS: Readonly<Record<string, OptionSpec>> = {
  config: { type: 'string', value: 'FILE', help: 'TOML file; keys are the variable names in lower case' },
  ...Object.fromEntries(
    Object.values(OPTIONS)
      .filter((option) => !option.secret)
      .map((option) => [flagName(option), { type: 'string', value: 'VALUE', help: helpOf(option) }]),
  ),
};

export const CONFIG_DETAILS = `Every flag can be given as an environment variable (--max-body-bytes is MAX_BODY_BYTES) or in the TOML file;
flags win over the environment, the environment over the file. NAME_FILE (name_file in the TOML file) names a file that
holds the value. Secrets come from the environment or a file only:
${Object.values(OPTIONS)
  .filter((option) => option.secret)
  .map((option) => `  ${option.env.padEnd(16)}${option.help}${option.required ? ' (required)' : ''}`)
  .join('\n')}`;

function helpOf(option: { help: string; defaultText: string | undefined }): string {
  return option.defaultText === undefined ? option.help : `${option.help} [${option.defaultText}]`;
}
