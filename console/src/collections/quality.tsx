import type { Percentiles, Quality, Recall } from '../api/collections.ts'
import { scaleFrom } from '../design/interval.ts'
import { Interval } from '../design/interval.tsx'
import { Meter } from '../design/meter.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount, formatMs } from '../design/units.ts'
import { completenessText, recallText, selectivityText, TONES, VERDICTS, verdictOf } from './words.ts'

/** Targets beside what was measured. */
export function Targets({ quality }: { quality: Quality | undefined }) {
  if (quality === undefined) return null
  const { recalls, recallTarget, days, skipped } = quality
  const measured = recalls.filter(({ mean }) => mean !== undefined)
  const from = scaleFrom(recallTarget ?? 1, ...measured.map(({ low }) => low))
  return (
    <section className="screen-part" aria-label="Targets and measurements">
      <h2 className="label">
        Targets and measurements{days > 0 && <span className="figure"> · last {formatCount(days)} days</span>}
      </h2>
      <div className="panel">
        <h3>
          Recall@10 <span className="minor">of live vector queries, against looking at every vector</span>
        </h3>
        <ul className="target-list">
          {recalls.map((recall) => (
            <RecallRow key={recall.selectivity} recall={recall} target={recallTarget} from={from} />
          ))}
        </ul>
        <p className="minor">
          Bars are 95 % intervals, ticks means
          {recallTarget === undefined ? '.' : `; the dashed line is the target, ${recallTarget}.`}
          {skipped > 0 && ` ${formatCount(skipped)} sampled queries were not asked again: there was too much to do.`}
        </p>
        <Times name="Searches" what="from the question to its passages" times={quality.searches} />
        <Times
          name="Freshness"
          what="from when the reading of a source began to when its documents answered"
          times={quality.freshness}
        />
        <Completeness quality={quality} />
      </div>
    </section>
  )
}

interface RecallProps {
  readonly recall: Recall
  readonly target: number | undefined
  readonly from: number
}

function RecallRow({ recall, target, from }: RecallProps) {
  const verdict = verdictOf(recall, target)
  const text = recallText(recall)
  return (
    <li className="target">
      <span className="target-name">{selectivityText(recall.selectivity)}</span>
      {recall.mean === undefined ? (
        <span className="target-none minor">nothing measured (n = 0)</span>
      ) : (
        <>
          <Interval
            label={`Recall@10, ${selectivityText(recall.selectivity)}`}
            text={`${text}${target === undefined ? '' : `, target ${target}: ${VERDICTS[verdict]}`}`}
            mean={recall.mean}
            low={recall.low}
            high={recall.high}
            target={target}
            tone={TONES[verdict]}
            from={from}
          />
          <span className="target-text figure">
            {text}
            <span className="target-verdict" data-verdict={verdict}>
              {VERDICTS[verdict]}
            </span>
          </span>
        </>
      )}
    </li>
  )
}

/** Percentiles in a title block, the 95th beside its target. */
function Times({ name, what, times }: { name: string; what: string; times: Percentiles }) {
  const { p50Ms, p95Ms, p99Ms, count, targetMs } = times
  const shown = (ms: number | undefined) => (ms === undefined ? undefined : formatMs(ms))
  return (
    <>
      <h3>
        {name} <span className="minor">{what}</span>
      </h3>
      <TitleBlock label={name}>
        <Cell name="p50" span={1}>
          {shown(p50Ms)}
        </Cell>
        <Cell name="p95" span={1}>
          {shown(p95Ms)}
        </Cell>
        <Cell name="p99" span={1}>
          {shown(p99Ms)}
        </Cell>
        <Cell name="Target of p95" span={1}>
          {shown(targetMs)}
        </Cell>
        <Cell name="Measured" span={2} title="How many were measured">
          n = {formatCount(count)}
        </Cell>
      </TitleBlock>
    </>
  )
}

function Completeness({ quality }: { quality: Quality }) {
  const { completeness } = quality
  if (completeness === undefined) return null
  const { chunks, searchable } = completeness
  const isWhole = searchable >= chunks
  const text = `${formatCount(searchable)} of ${formatCount(chunks)} passages answer`
  return (
    <>
      <h3>
        Completeness <span className="minor">target: all of it</span>
      </h3>
      <div className="target-whole" data-tone={isWhole ? undefined : 'danger'}>
        <Meter label="Completeness" text={text} posted={searchable} leased={0} limit={chunks} sense="good" />
        <span className="figure">
          {completenessText(completeness)} <span className="minor">{text}</span>
        </span>
      </div>
    </>
  )
}
