/** `bve bench`: a load test with streams against any OpenAI-compatible endpoint. */
import { writeFileSync } from 'node:fs';
import { type Assertion, AssertionSyntaxError, judge, knownFields, parseAssertion } from '../load/assertion.ts';
import { problemWith } from '../load/check.ts';
import { htmlOf } from '../load/html-report.ts';
import { Load } from '../load/load.ts';
import { DEFAULT_MODEL, type LoadPlan } from '../load/plan.ts';
import { showProgress } from '../load/progress.ts';
import { type Report, reportOf } from '../load/report-data.ts';
import { distribution } from '../load/statistics.ts';
import { summaryOf, verdictText, warningsOf } from '../load/summary.ts';
import { DEFAULT_PATH } from '../load/target.ts';
import { complain, print } from '../output.ts';
import { planFrom } from './bench-plan.ts';
import { type Arguments, type Command, CommandFailure, textFlag, UsageError } from './command.ts';

export const bench: Command = {
  name: 'bench',
  summary: 'load-test an OpenAI-compatible endpoint with streams',
  positionals: ['URL'],
  options: {
    rate: {
      type: 'string',
      value: 'N',
      help: 'open loop: start N streams a second, however slow the answers are (default 10)',
    },
    streams: { type: 'string', value: 'N', help: 'closed loop instead: keep N streams open' },
    duration: {
      type: 'string',
      value: 'TIME',
      help: 'how long to start streams, e.g. 30, 30s, 500ms, 2m (default 10s)',
    },
    ramp: { type: 'string', value: 'TIME', help: 'time in which the rate, or the number of streams, grows linearly' },
    warmup: { type: 'string', value: 'TIME', help: 'time before the duration, in which streams are not measured' },
    path: { type: 'string', value: 'PATH', help: `endpoint, unless the URL names one (default ${DEFAULT_PATH})` },
    model: { type: 'string', value: 'NAME', help: `model to ask for (default ${DEFAULT_MODEL})` },
    key: { type: 'string', value: 'KEY', help: 'API key, sent as Authorization: Bearer KEY' },
    'key-file': { type: 'string', value: 'FILE', help: 'read the key from a file: others can see a command line' },
    'prompt-file': {
      type: 'string',
      value: 'FILE',
      help: 'a prompt; a .jsonl file has one per line, used round-robin',
    },
    body: { type: 'string', value: 'JSON|@FILE', help: 'fields of the request body; they replace the default ones' },
    'slow-readers': { type: 'string', value: 'N%', help: 'share of clients that pause 100 ms after every read' },
    abandon: { type: 'string', value: 'N%', help: 'share of clients that disconnect half-way' },
    'streams-max': { type: 'string', value: 'N', help: 'drop arrivals beyond N open streams (default 5000)' },
    'connections-max': { type: 'string', value: 'N', help: 'drop arrivals beyond N connections (default 5000)' },
    timeout: { type: 'string', value: 'TIME', help: 'a stream without a byte for this long has failed (default 30s)' },
    drain: {
      type: 'string',
      value: 'TIME',
      help: 'how long open streams may go on after the last arrival (default 60s)',
    },
    seed: { type: 'string', value: 'N', help: 'decides which clients are slow or disconnect (default 1)' },
    'expect-events': { type: 'string', value: 'N', help: 'content events that every stream must have' },
    'expect-same': { type: 'boolean', help: 'all bodies must be equal: hash and compare them' },
    assert: {
      type: 'string',
      multiple: true,
      value: 'TEST',
      help: "e.g. 'ttfb_p99<200ms', repeatable; exit code 1 if one fails",
    },
    json: { type: 'boolean', help: 'print the report as JSON instead of text' },
    html: { type: 'string', value: 'FILE', help: 'write the report as one HTML page with plots' },
    record: { type: 'string', value: 'DIR', help: 'record bytes and timing of some streams for bve mock --replay' },
    'record-max': { type: 'string', value: 'N', help: 'how many streams to record (default 5)' },
    insecure: { type: 'boolean', help: 'do not verify the certificate of an https URL' },
    'no-check': { type: 'boolean', help: 'do not test one stream before the load' },
  },
  details: `
Time to first byte counts from when a stream was due, not from when it was sent, so a target that stalls cannot hide it. An
arrival beyond the limits is dropped and counted, never delayed. Streams with numbered events ("i":0, "i":1, …, as bve mock
writes them) are checked for reordered, dropped and duplicated events.

--assert takes FIELD OPERATOR NUMBER[UNIT], operators < <= > >= =, units us ms s for times. Fields:
  ${knownFields()}

Exit codes: 0 done, 1 an assertion failed or no stream was complete, 2 wrong usage.

Examples:
  bve bench http://127.0.0.1:8080 --key-file key.txt --rate 200 --duration 30 --assert 'ttfb_p99<200ms' --assert errors=0
  bve bench http://127.0.0.1:4010 --streams 250 --body '{"mock":{"events":50,"pace_ms":10}}' --html report.html
  bve bench https://api.example.com/v1 --key-file key.txt --rate 2 --record recordings
`,
  run,
};

async function run(args: Arguments): Promise<number> {
  const assertions = assertionsFrom(args.lists.assert ?? []);
  const plan = planFrom(args.positionals[0]!, args);
  if (plan.insecure) warn('--insecure: TLS certificates are NOT verified');
  if (!args.flags['no-check']) {
    const problem = await problemWith(plan);
    if (problem !== undefined) throw new CommandFailure(`${plan.target.label}: ${problem}`);
  }
  const load = new Load(plan);
  const cpuShare = await runLoad(load);
  const report = reportOf(load, cpuShare);
  const verdicts = assertions.map((assertion) => judge(assertion, report));
  const htmlFile = textFlag(args, 'html');
  if (htmlFile !== undefined) write(htmlFile, htmlOf(load, report));
  const document = `${JSON.stringify({ ...report, assertions: verdicts }, null, 2)}\n`;
  print(args.flags.json ? document : summaryOf(report));
  for (const text of warningsOf(report)) warn(text);
  reportRecordings(plan);
  for (const verdict of verdicts) if (!verdict.holds) complain(`bve bench: ${verdictText(verdict)}\n`);
  const isUseless = nothingComplete(report);
  return isUseless || verdicts.some(({ holds }) => !holds) ? 1 : 0;
}

const TERMINAL = {
  write: complain,
  get columns() {
    return process.stderr.columns;
  },
};

/** Returns the processor share of the harness. Ctrl-C ends the run early, still with a report. */
async function runLoad(load: Load): Promise<number> {
  const hide = process.stderr.isTTY ? showProgress(load, TERMINAL, distribution) : () => {};
  const interrupt = () => load.interrupt();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    await load.run();
    return load.ownLoad.cpuShare();
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    hide();
  }
}

/** No stream was complete, although some should have been: the figures mean nothing. */
function nothingComplete({ streams, errors }: Report): boolean {
  if (streams.complete + streams.abandoned > 0 || streams.interrupted > 0) return false;
  const [worst] = Object.values(errors.by_kind).sort((a, b) => b.count - a.count);
  complain(`bve bench: no stream was complete${worst ? `: ${worst.example}` : ''}\n`);
  return true;
}

function assertionsFrom(texts: readonly string[]): Assertion[] {
  try {
    return texts.map(parseAssertion);
  } catch (error) {
    if (error instanceof AssertionSyntaxError) throw new UsageError(`--assert ${error.message}`);
    throw error;
  }
}

function reportRecordings({ recorder }: LoadPlan): void {
  if (!recorder) return;
  for (const note of recorder.notes) warn(note);
  complain(`bve bench: ${recorder.written.length} streams recorded in ${recorder.folder}\n`);
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new CommandFailure(
      `cannot write '${path}': ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`,
    );
  }
}

function warn(text: string): void {
  complain(`bve bench: WARNING: ${text}\n`);
}
