/** What is wrong with a configuration: everything at once, each by the name of its variable or file. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}
