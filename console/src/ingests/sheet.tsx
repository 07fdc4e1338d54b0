import type { Run } from '../api/ingests.ts'
import { CopyText } from '../design/copy.tsx'
import { Name } from '../design/name.tsx'
import { Sentence } from '../design/sentence.tsx'
import { Sheet } from '../design/sheet.tsx'
import { Notice } from '../design/state.tsx'
import { Tier } from '../design/tier.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount, formatLength, formatTime } from '../design/units.ts'
import { Link } from '../shell/link.tsx'
import { useNow } from '../shell/now.ts'
import { heldText, RunBar } from './row.tsx'
import { reasonsOf, stateText, toneOf } from './words.ts'

/** Everything about one run: counts, failures by reason, what was left out. */
export function RunSheet({ run, onClose }: { run: Run; onClose: () => void }) {
  const { collection, path, problem, skipped, notes } = run
  return (
    <Sheet
      title={collection}
      about={
        <p className="sheet-about">
          <Name>{path}</Name>
        </p>
      }
      onClose={onClose}
    >
      <div className="run-sheet">
        <div className="run-standing">
          <Tier tone={toneOf(run)}>{stateText(run)}</Tier>
          <span className="minor figure">{heldText(run)}</span>
        </div>
        <RunBar run={run} />
        {problem !== undefined && (
          <Notice tone="caution" title="It failed.">
            <Sentence text={problem} />
          </Notice>
        )}
        <Counts run={run} />
        <Failures run={run} />
        {notes.length > 0 && (
          <section className="screen-part" aria-label="Notes">
            <h3 className="label">
              Left out of documents that were read <span className="figure">{formatCount(notes.length)}</span>
            </h3>
            <ul className="row-list">
              {notes.map(({ uri, message }, at) => (
                <li key={at} className="run-file">
                  <Name>{uri}</Name>
                  <span>{message}</span>
                </li>
              ))}
            </ul>
          </section>
        )}
        {skipped.length > 0 && (
          <p>
            <Link href={`/collections?${new URLSearchParams({ collection })}`}>Read the failed ones again</Link> from
            the dead letters of the collection.
          </p>
        )}
      </div>
    </Sheet>
  )
}

function Counts({ run }: { run: Run }) {
  const nowMs = useNow()
  const { id, files, startedMs, endedMs } = run
  return (
    <TitleBlock label="Files">
      <Cell name="Found">{formatCount(files.found)}</Cell>
      <Cell name="Read">{formatCount(files.read)}</Cell>
      <Cell name="Unchanged">{formatCount(files.unchanged)}</Cell>
      <Cell name="Failed">{formatCount(files.skipped)}</Cell>
      <Cell name="Removed" title="Documents whose file is gone">
        {formatCount(files.removed)}
      </Cell>
      <Cell name="Ignored" title="Pictures, programs, archives: not looked at">
        {formatCount(files.ignored)}
      </Cell>
      <Cell name="Begun" span={2}>
        {formatTime(startedMs, nowMs)}
      </Cell>
      <Cell name="Took" span={1}>
        {endedMs !== undefined && formatLength(Math.max(1000, endedMs - startedMs))}
      </Cell>
      <Cell name="Run" span={3}>
        <code>{id}</code>
        <CopyText text={id} what="the run's id" />
      </Cell>
    </TitleBlock>
  )
}

function Failures({ run }: { run: Run }) {
  const { skipped, files } = run
  if (skipped.length === 0) return null
  return (
    <section className="screen-part" aria-label="Failures">
      <h3 className="label">
        Failures by reason <span className="figure">{formatCount(files.skipped)}</span>
      </h3>
      {skipped.length < files.skipped && (
        <p className="minor">The first {formatCount(skipped.length)} are listed by name.</p>
      )}
      {reasonsOf(skipped).map(({ code, skipped: all }) => (
        <details key={code} className="run-reason" open={all.length <= 5}>
          <summary>
            <code>{code}</code> <span className="figure">{formatCount(all.length)}</span>
          </summary>
          <ul className="row-list">
            {all.map(({ uri, message }, at) => (
              <li key={at} className="run-file">
                <Name>{uri}</Name>
                <span>
                  <Sentence text={message} />
                </span>
              </li>
            ))}
          </ul>
        </details>
      ))}
    </section>
  )
}
