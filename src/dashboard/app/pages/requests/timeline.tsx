/** received → sent → head → first byte → last byte, to scale, with what each part means in words. */
import type { RequestRecord } from '../../api/api-types.ts';
import { formatMs } from '../../format/numbers.ts';
import { ScrollRegion } from '../../ui/scroll-region.tsx';
import { type Phase, phasesOf } from './phases.ts';

export function Timeline({ record }: { record: RequestRecord }) {
  const phases = phasesOf(record);
  const total = Math.max(record.durationMs, 0.001);
  return (
    <div class="timeline">
      <div class="timeline-bar" aria-hidden="true">
        {phases.map((phase) => (
          <span
            key={phase.name}
            class={`phase ${phase.name}`}
            style={{
              left: `${(phase.fromMs / total) * 100}%`,
              width: `${((phase.toMs - phase.fromMs) / total) * 100}%`,
            }}
          />
        ))}
      </div>
      <ScrollRegion class="scroll-x" label="Parts of the request">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Part</th>
              <th scope="col" class="meaning">
                What happened
              </th>
              <th scope="col" class="right">
                From
              </th>
              <th scope="col" class="right">
                To
              </th>
              <th scope="col" class="right">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {phases.map((phase) => (
              <PhaseRow key={phase.name} phase={phase} />
            ))}
          </tbody>
        </table>
      </ScrollRegion>
      {record.cancelMs !== null && record.cancelMs !== undefined && (
        <p class="panel-note">
          The client left before the end. {formatMs(record.cancelMs)} later the upstream request was cancelled.
        </p>
      )}
    </div>
  );
}

function PhaseRow({ phase }: { phase: Phase }) {
  return (
    <tr>
      <th scope="row">
        <span class={`swatch phase ${phase.name}`} /> {phase.title}
      </th>
      <td class="muted wrap meaning">{phase.meaning}</td>
      <td class="right">{formatMs(phase.fromMs)}</td>
      <td class="right">{formatMs(phase.toMs)}</td>
      <td class="right">
        <strong>{formatMs(phase.toMs - phase.fromMs)}</strong>
      </td>
    </tr>
  );
}
