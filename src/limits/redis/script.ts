/**
 * The one script by which a key's limits are decided in Redis: all of them at once, on Redis' own clock, so that every process
 * and machine counts alike. It mirrors `key-counters.ts` and `counters.ts`, which say what the counts mean.
 *
 * KEYS[1] is a hash with the counts of one key, KEYS[2] a hash of process → "requests in flight, expiry, reserved tokens". Both
 * have the same hash tag, so that a cluster keeps them in one slot. A process whose entry is not renewed in time is taken for
 * dead, and its permits are free.
 *
 * The counts: w, o: steady time and its offset; s, n: the minute; d, D and e, E: two days; m, M, T and f, F, U: two months with
 * requests and tokens; v: the version of the key for which days and months were read from the database.
 */

/** Renewed every 10 s; two renewals may be late. */
const PERMIT_EXPIRY_MS = 25_000;
/** Longer than the longest window. */
const COUNTS_EXPIRY_MS = 40 * 86_400_000;

type ScriptMode = 'admit' | 'status' | 'settle';

export interface ScriptCall {
  readonly mode: ScriptMode;
  /** What days and months must have been read for; '': nobody needs them. */
  readonly version: string;
  readonly process: string;
  /** Requests of the key that this process has in flight, without this one; -1: not known, `released` have ended. */
  readonly held: number;
  readonly released: number;
  /** Tokens that requests of this process have reserved and not given back. */
  readonly reserved: number;
  /** Used in that month, and not told yet. */
  readonly tokens: number;
  readonly month: number;
  /** -1: none. In the order of `LIMIT_NAMES`. */
  readonly limits: readonly [rpm: number, rpd: number, monthly: number, tokens: number, concurrent: number];
  /** What the database says was used, which the counts are at least. null: not asked. */
  readonly seed: Seed | null;
}

const NO_VERSION = '-';

export interface Seed {
  readonly day: number;
  readonly month: number;
  readonly requestsToday: number;
  readonly requestsThisMonth: number;
  readonly tokensThisMonth: number;
}

/** One argument, because each of eighteen would cost the process some tenths of a microsecond. */
export function scriptArgument(call: ScriptCall): string {
  const { mode, version, process, held, released, reserved, tokens, month, limits, seed } = call;
  const [rpm, rpd, monthly, monthlyTokens, concurrent] = limits;
  const seeds = seed
    ? `${seed.day} ${seed.month} ${seed.requestsToday} ${seed.requestsThisMonth} ${seed.tokensThisMonth}`
    : '-1 -1 0 0 0';
  return `${mode} ${version || NO_VERSION} ${process} ${held} ${released} ${reserved} ${tokens} ${month} ${rpm} ${rpd} ${monthly} ${monthlyTokens} ${concurrent} ${seeds}`;
}

export type ScriptReply =
  | { readonly kind: 'granted'; readonly nowMs: number }
  /** Nothing was counted: days and months must be read from the database first. */
  | { readonly kind: 'unseeded'; readonly nowMs: number }
  | { readonly kind: 'counts'; readonly nowMs: number; readonly counts: Counts };

interface Counts {
  readonly minute: number;
  /** null: no window is open. */
  readonly minuteRemainingMs: number | null;
  readonly day: number;
  readonly month: number;
  /** Used and reserved. */
  readonly tokens: number;
  readonly concurrent: number;
}

/** @throws Error when it is not what the script answers */
export function readReply(reply: unknown): ScriptReply {
  if (!Array.isArray(reply) || reply.some((value) => !Number.isSafeInteger(value))) {
    throw new Error('an answer that is not that of the script');
  }
  const [code, nowMs, minute, remainingMs, day, month, tokens, concurrent] = reply as number[];
  if (code === 1) return { kind: 'granted', nowMs: nowMs! };
  if (code === 2) return { kind: 'unseeded', nowMs: nowMs! };
  return {
    kind: 'counts',
    nowMs: nowMs!,
    counts: {
      minute: minute!,
      minuteRemainingMs: remainingMs! > 0 ? remainingMs! : null,
      day: day!,
      month: month!,
      tokens: tokens!,
      concurrent: concurrent!,
    },
  };
}

export const SCRIPT = `
local time = redis.call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)
local given = {}
for word in string.gmatch(ARGV[1], '%S+') do given[#given + 1] = word end
local mode, version, process = given[1], given[2], given[3]
local held, released, reserved = tonumber(given[4]), tonumber(given[5]), tonumber(given[6])
local tokens, tokensMonth = tonumber(given[7]), tonumber(given[8])
local limits = {}
for i = 1, 5 do limits[i] = tonumber(given[8 + i]) end

local names = { 'w', 'o', 's', 'n', 'd', 'D', 'e', 'E', 'm', 'M', 'T', 'f', 'F', 'U' }
local stored = redis.call('HMGET', KEYS[1], 'v', unpack(names))
local knownVersion = stored[1]
local c = {}
for i, name in ipairs(names) do c[name] = tonumber(stored[i + 1] or 0) end
local isNew = not stored[2]

-- Permits: those of this process, and those of the others that are alive.
local own, ownReserved, others, othersReserved = 0, 0, 0, 0
local permits = redis.call('HGETALL', KEYS[2])
for i = 1, #permits, 2 do
  local count, expiry, kept = string.match(permits[i + 1], '^(%d+) (%d+) (%d+)$')
  if permits[i] == process then
    own, ownReserved = tonumber(count), tonumber(kept)
  elseif tonumber(expiry) > wall then
    others, othersReserved = others + count, othersReserved + kept
  else
    redis.call('HDEL', KEYS[2], permits[i])
  end
end
if held >= 0 then own = held else own = math.max(0, own - released) end
ownReserved = reserved

local function keepPermits()
  if own > 0 or ownReserved > 0 then
    redis.call('HSET', KEYS[2], process, string.format('%.0f %.0f %.0f', own, wall + ${PERMIT_EXPIRY_MS}, ownReserved))
    redis.call('PEXPIRE', KEYS[2], ${PERMIT_EXPIRY_MS} * 2)
  else
    redis.call('HDEL', KEYS[2], process)
  end
end

-- What was used late counts in its month, if that is remembered.
local isCharged = false
if tokens > 0 and not isNew then
  if tokensMonth == c.m then c.T = c.T + tokens; isCharged = true
  elseif tokensMonth == c.f then c.U = c.U + tokens; isCharged = true end
end

local isUnseeded = mode ~= 'settle' and version ~= '${NO_VERSION}' and knownVersion ~= version and given[14] == '-1'
if mode == 'settle' or isUnseeded then
  if isCharged then redis.call('HSET', KEYS[1], 'T', c.T, 'U', c.U) end
  if isUnseeded then return { 2, wall } end
  keepPermits()
  return { 1, wall }
end

-- Steady time never goes back.
local isMoved = false
if isNew then c.w = wall end
local steady = wall + c.o
if steady < c.w then
  c.o = c.w - wall
  steady = c.w
  isMoved = true
end
c.w = steady
local isMinuteOpen = c.n > 0 and steady < c.s + 60000
if not isMinuteOpen then c.n = 0 end

-- The day, and the month by the calendar of days that begins in March.
local day = math.floor(wall / 86400000)
local z = day + 719468
local era = math.floor(z / 146097)
local doe = z - era * 146097
local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
local month = era * 4800 + yoe * 12 + math.floor((5 * doy + 2) / 153) - 23638

-- A window that is reached by a step back and not remembered has the counts of the one that is left.
if isNew then
  c.d, c.D, c.e, c.E = day, 0, -1, 0
  c.m, c.M, c.T, c.f, c.F, c.U = month, 0, 0, -1, 0, 0
end
if day ~= c.d then
  local count = c.D
  if day == c.e then count = c.E elseif day > c.d then count = 0 end
  c.d, c.D, c.e, c.E = day, count, c.d, c.D
  isMoved = true
end
if month ~= c.m then
  local count, used = c.M, c.T
  if month == c.f then count, used = c.F, c.U elseif month > c.m then count, used = 0, 0 end
  c.m, c.M, c.T, c.f, c.F, c.U = month, count, used, c.m, c.M, c.T
end

if given[14] ~= '-1' then
  if tonumber(given[14]) == day then c.D = math.max(c.D, tonumber(given[16])) end
  if tonumber(given[15]) == month then
    c.M = math.max(c.M, tonumber(given[17]))
    c.T = math.max(c.T, tonumber(given[18]))
  end
  knownVersion = version
end

local used = { c.n, c.D, c.M, c.T + ownReserved + othersReserved, own + others }
local isGranted = mode == 'admit'
if isGranted then
  for i = 1, 5 do
    if limits[i] >= 0 and used[i] >= limits[i] then isGranted = false end
  end
end
if isGranted then
  if not isMinuteOpen then c.s = steady end
  c.n, c.D, c.M = c.n + 1, c.D + 1, c.M + 1
  own = own + 1
end

-- A refusal leaves the counts as they are, so a client that is refused a thousand times a second costs no writes.
if isGranted or isCharged or isMoved or given[14] ~= '-1' then
  local fields = {}
  for _, name in ipairs(names) do
    fields[#fields + 1] = name
    fields[#fields + 1] = c[name]
  end
  if knownVersion then
    fields[#fields + 1] = 'v'
    fields[#fields + 1] = knownVersion
  end
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('PEXPIRE', KEYS[1], ${COUNTS_EXPIRY_MS})
end
if limits[5] >= 0 or ownReserved > 0 or #permits > 0 then keepPermits() end
if isGranted then return { 1, wall } end
local remaining = 0
if isMinuteOpen then remaining = c.s + 60000 - steady end
return { 0, wall, used[1], remaining, used[2], used[3], used[4], used[5] }
`;
