/** The gateway's TOML file, which a soak changes and has read again. */
import { writeFileSync } from 'node:fs';

/** The key of a target and its version, which an echo of upstream tells. */
export const UPSTREAM_KEY = /\bfx-soak-[a-z]-(\d+)\b/;

interface ConfiguredTarget {
  readonly name: string;
  readonly url: string;
}

export class ConfigFile {
  readonly #path: string;
  readonly #targets: readonly ConfiguredTarget[];
  #version = 0;

  /** @param targets the last one is there only now and then */
  constructor(path: string, targets: readonly ConfiguredTarget[]) {
    this.#path = path;
    this.#targets = targets;
    this.#write();
  }

  get version(): number {
    return this.#version;
  }

  /** Other keys and weights of the targets, another log level, one target more or less. */
  change(): void {
    this.#version++;
    this.#write();
  }

  /** A mistake, which must change nothing. */
  spoil(): void {
    writeFileSync(this.#path, 'log_level = "loud"\n[[targets]]\nname = "a"\n');
  }

  restore(): void {
    this.#write();
  }

  #write(): void {
    const version = this.#version;
    const some = version % 2 === 1 ? this.#targets : this.#targets.slice(0, -1);
    const targets = some.map(
      ({ name, url }, i) =>
        `[[targets]]\nname = "${name}"\nbase_url = "${url}"\napi_key = "fx-soak-${name}-${version}"\nweight = ${1 + ((version + i) % 3)}\n`,
    );
    writeFileSync(this.#path, `log_level = "${version % 3 === 2 ? 'debug' : 'info'}"\n\n${targets.join('\n')}`);
  }
}
