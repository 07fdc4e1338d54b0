import type { Run } from '../api/ingests.ts'
import { Name } from '../design/name.tsx'
import { Tier } from '../design/tier.tsx'
import { formatBytes, formatCount, formatLength, formatRelative, formatShare } from '../design/units.ts'
import { Link } from '../shell/link.tsx'
import { useNow } from '../shell/now.ts'
import { countsText, doneOf, isOver, OUTCOMES, sharesOf, stateText, toneOf } from './words.ts'

/** A run, and how far it is. All of the row leads to its sheet. */
export function RunRow({ run, collection }: { run: Run; collection: string | undefined }) {
  const nowMs = useNow()
  const { id, path, startedMs, endedMs } = run
  const address = new URLSearchParams({ ...(collection !== undefined && { collection }), run: id })
  return (
    <li className="run">
      <div className="run-what">
        <Link className="run-link" href={`/ingests?${address}`} aria-label={`${run.collection}, ${path}`}>
          <Name>{run.collection}</Name>
        </Link>
        <Name>{path}</Name>
      </div>
      <div className="run-done">
        <RunBar run={run} />
        <span className="figure">{countsText(run)}</span>
      </div>
      <div className="run-state">
        <Tier tone={toneOf(run)}>{stateText(run)}</Tier>
        <span className="minor figure">
          {formatRelative(startedMs, Math.max(nowMs, startedMs))}
          {endedMs !== undefined && `, took ${formatLength(Math.max(1000, endedMs - startedMs))}`}
        </span>
      </div>
      {run.problem !== undefined && <p className="run-problem">{run.problem}</p>}
    </li>
  )
}

/** What became of the files that were found. */
export function RunBar({ run }: { run: Run }) {
  const done = doneOf(run)
  const shares = sharesOf(run)
  const isGoing = !isOver(run)
  return (
    <div
      className="run-bar"
      role="progressbar"
      aria-label={`Run into ${run.collection}`}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(done !== undefined && { 'aria-valuenow': Math.round(done * 100) })}
      aria-valuetext={`${done === undefined ? 'just begun' : formatShare(done)}: ${countsText(run)}`}
      data-state={run.state}
      data-unknown={(isGoing && done === undefined) || undefined}
    >
      {OUTCOMES.map((outcome) => (
        <span key={outcome} className="run-part" data-outcome={outcome} style={{ '--size': shares[outcome] }} />
      ))}
    </div>
  )
}

/** `1,234 passages of 56 documents, 1.2 MB`. */
export const heldText = ({ chunks, documents, bytes }: Run): string =>
  `${formatCount(chunks)} passages of ${formatCount(documents)} documents, ${formatBytes(bytes)}`
