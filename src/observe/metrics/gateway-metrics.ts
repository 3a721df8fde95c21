/**
 * The metrics of the gateway, as an observer of requests.
 *
 * Guarantees: no label holds a text that a client chose; a request costs some additions (bench/micro has the figure), because
 * the series of a route, a model and an error are found by one lookup each.
 */
import { GatewayError } from '../../errors.ts';
import { LIMIT_MESSAGES, type LimitName } from '../../limits/limiter.ts';
import type { UpstreamTarget } from '../../upstream/target.ts';
import type { ExchangeObserver, SettledExchange } from '../observer.ts';
import { operationOf, PROVIDER } from '../operation.ts';
import { errorTypeOf } from './error-type.ts';
import { makeFamilies } from './families.ts';
import type { ModelNames } from './model-names.ts';
import { type Amount, type FamilySnapshot, type Histogram, Registry } from './registry.ts';

interface TargetCounts extends Pick<UpstreamTarget, 'name' | 'inFlight' | 'outcomes'> {
  readonly health: { readonly state: string };
}

/** What is not counted by request but read when somebody asks. */
export interface MetricsSources {
  requestsInFlight(): number;
  streamsOpen(): number;
  targets(): readonly TargetCounts[];
  usage(): { readonly waiting: number; readonly dropped: number };
  /** Spans of traces that were lost; null without traces. */
  spansDropped(): number | null;
  /** Failures of the store by operation, since the start. */
  storeErrors(): Readonly<Record<string, number>>;
  limitsUnavailable(): number;
  loopLagMs(): number;
  readonly build: { readonly version: string; readonly commit: string };
}

/** As GET /v1/key calls them. */
const LIMIT_LABELS: Readonly<Record<LimitName, string>> = {
  requestsPerMinute: 'requests_per_minute',
  requestsPerDay: 'requests_per_day',
  requestsPerMonth: 'requests_per_month',
  tokensPerMonth: 'tokens_per_month',
  concurrent: 'concurrent_requests',
};
const LIMIT_OF_MESSAGE = new Map(
  Object.entries(LIMIT_MESSAGES).map(([name, message]) => [message, LIMIT_LABELS[name as LimitName]]),
);
const AUTH_FAILURES: ReadonlySet<string> = new Set([
  'missing_api_key',
  'invalid_api_key',
  'api_key_suspended',
  'api_key_revoked',
  'api_key_expired',
]);

/** The series of one kind of generating request that went well. */
interface OperationSeries {
  readonly duration: Histogram;
  readonly firstChunk: Histogram;
  readonly perChunk: Histogram;
}

interface TokenSeries {
  readonly input: Amount;
  readonly output: Amount;
  readonly cached: Amount;
  readonly reasoning: Amount;
}

export class GatewayMetrics implements ExchangeObserver {
  readonly #registry = new Registry();
  readonly #families = makeFamilies(this.#registry);
  readonly #models: ModelNames;
  readonly #sources: MetricsSources;
  /** By route and then by status, finish and streamed in one text. */
  readonly #requests = new Map<string, Map<string, Amount>>();
  /** By operation and then by model. */
  readonly #operations = new Map<string, Map<string, OperationSeries>>();
  readonly #tokens = new Map<string, TokenSeries>();
  #overhead: Histogram | undefined;

  constructor(models: ModelNames, sources: MetricsSources) {
    this.#models = models;
    this.#sources = sources;
  }

  settled(exchange: SettledExchange): void {
    const { key, sentMs, cancelMs, usage, errorCode } = exchange;
    this.#countRequest(exchange);
    if (sentMs !== null) {
      this.#overhead ??= this.#families.overhead.at();
      this.#overhead.observe(sentMs / 1000);
      // The other outcomes are counted by the target itself, where each attempt is seen.
      if (exchange.finish === 'client_closed' && exchange.headMs === null && exchange.target !== null)
        this.#families.attempts.at(exchange.target, 'cancelled').value++;
    }
    if (cancelMs !== null) this.#families.cancelLatency.at().observe(cancelMs / 1000);
    if (errorCode !== null) this.#countRefusal(exchange, errorCode);
    if (key === null) return;
    this.#families.usageRecords.at(exchange.usageSource).value++;
    this.#models.learnFromKey(key);
    const operation = operationOf(exchange);
    if (operation === null) return;
    const model = this.#models.labelOf(exchange.model);
    this.#observe(exchange, operation, model);
    if (usage === null) return;
    const tokens = this.#tokensOf(model);
    tokens.input.value += usage.promptTokens ?? 0;
    tokens.output.value += usage.completionTokens ?? 0;
    tokens.cached.value += usage.cachedTokens ?? 0;
    tokens.reasoning.value += usage.reasoningTokens ?? 0;
  }

  snapshot(): FamilySnapshot[] {
    const sources = this.#sources;
    const families = this.#families;
    families.requestsInFlight.at().value = sources.requestsInFlight();
    families.streamsOpen.at().value = sources.streamsOpen();
    for (const { name, health, inFlight, outcomes } of sources.targets()) {
      families.targetUp.at(name).value = health.state === 'up' ? 1 : 0;
      families.targetInFlight.at(name).value = inFlight;
      for (const [outcome, count] of Object.entries(outcomes))
        if (count > 0) families.attempts.at(name, outcome).value = count;
    }
    const { waiting, dropped } = sources.usage();
    families.usageQueue.at().value = waiting;
    families.usageDropped.at().value = dropped;
    for (const [operation, count] of Object.entries(sources.storeErrors()))
      if (count > 0) families.storeErrors.at(operation).value = count;
    families.limitsUnavailable.at().value = sources.limitsUnavailable();
    const spansDropped = sources.spansDropped();
    if (spansDropped !== null) families.spansDropped.at().value = spansDropped;
    families.loopLag.at().value = sources.loopLagMs() / 1000;
    families.buildInfo.at(sources.build.version, sources.build.commit).value = 1;
    return this.#registry.snapshot();
  }

  #countRequest({ endpoint, status, finish, streamed }: SettledExchange): void {
    let byOutcome = this.#requests.get(endpoint);
    if (byOutcome === undefined) {
      byOutcome = new Map();
      this.#requests.set(endpoint, byOutcome);
    }
    const key = `${status}${finish}${streamed}`;
    let series = byOutcome.get(key);
    if (series === undefined) {
      series = this.#families.requests.at(endpoint, status, finish, String(streamed));
      byOutcome.set(key, series);
    }
    series.value++;
  }

  #countRefusal({ key, error, sentMs }: SettledExchange, errorCode: string): void {
    const families = this.#families;
    if (key === null && AUTH_FAILURES.has(errorCode)) families.authFailures.at(errorCode).value++;
    if (!(error instanceof GatewayError) || sentMs !== null) return;
    if (error.code === 'rate_limit_exceeded')
      families.limitRefusals.at(LIMIT_OF_MESSAGE.get(error.message) ?? 'other').value++;
    else if (error.code === 'overloaded') families.overloaded.at(error.reason ?? 'other').value++;
  }

  #observe(exchange: SettledExchange, operation: string, model: string): void {
    const { errorCode, streamed, ttfbMs, lastByteMs, chunks, durationMs } = exchange;
    const series = this.#operation(operation, model);
    const duration =
      errorCode === null
        ? series.duration
        : this.#families.duration.at(operation, PROVIDER, model, errorTypeOf(errorCode));
    duration.observe(durationMs / 1000);
    if (!streamed || ttfbMs === null || exchange.status >= 400) return;
    series.firstChunk.observe(ttfbMs / 1000);
    if (chunks > 1) series.perChunk.observe(((lastByteMs ?? durationMs) - ttfbMs) / 1000 / (chunks - 1));
  }

  #operation(operation: string, model: string): OperationSeries {
    let byModel = this.#operations.get(operation);
    if (byModel === undefined) {
      byModel = new Map();
      this.#operations.set(operation, byModel);
    }
    const known = byModel.get(model);
    if (known !== undefined) return known;
    const { duration, firstChunk, perChunk } = this.#families;
    const series = {
      duration: duration.at(operation, PROVIDER, model, ''),
      firstChunk: firstChunk.at(operation, PROVIDER, model),
      perChunk: perChunk.at(operation, PROVIDER, model),
    };
    byModel.set(model, series);
    return series;
  }

  #tokensOf(model: string): TokenSeries {
    const known = this.#tokens.get(model);
    if (known !== undefined) return known;
    const { tokens, cachedTokens, reasoningTokens } = this.#families;
    const series = {
      input: tokens.at('input', model),
      output: tokens.at('output', model),
      cached: cachedTokens.at(model),
      reasoning: reasoningTokens.at(model),
    };
    this.#tokens.set(model, series);
    return series;
  }
}
