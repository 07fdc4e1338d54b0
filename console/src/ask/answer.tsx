import { useEffect, useRef, useState } from 'react'
import type { Source } from '../api/answer.ts'
import type { House } from '../api/house.ts'
import { Progress } from '../design/progress.tsx'
import { ErrorState, Notice } from '../design/state.tsx'
import { Waterfall } from '../design/waterfall.tsx'
import { useKeys } from '../shell/keys.ts'
import { DocumentSheet } from './document.tsx'
import { Facts, TraceLink } from './facts.tsx'
import { withoutHalfMarker } from './markdown.ts'
import { Prose } from './prose.tsx'
import { Sources, sourceId } from './sources.tsx'
import { isRunning, type Asked } from './store.ts'

interface Props {
  readonly asked: Asked
  readonly house: House
  /** Traces are for administrators. */
  readonly canTrace: boolean
  readonly elapsedMs: () => number
  readonly onRetry: () => void
}

export function Answer({ asked, house, canTrace, elapsedMs, onRetry }: Props) {
  const [pointed, setPointed] = useState<number>()
  const [opened, setOpened] = useState<Source>()
  const { report, phase } = asked
  const isNothing = phase === 'failed' && asked.text === ''
  const region = useRef<HTMLElement>(null)
  // From the question straight to its answer: the next Tab is its first citation.
  useEffect(() => region.current?.focus({ preventScroll: true }), [])
  const visit = (number: number) => {
    const card = document.getElementById(sourceId(number))
    card?.scrollIntoView({
      block: 'nearest',
      behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth',
    })
    card?.focus({ preventScroll: true })
  }
  useKeys(Object.fromEntries(report.sources.slice(0, 9).map(({ number }) => [String(number), () => visit(number)])))
  return (
    <div className="answer-grid">
      <section ref={region} className="answer" tabIndex={-1} aria-label="Answer" aria-busy={isRunning(asked)}>
        <header className="answer-head">
          <h2 className="label">Answer</h2>
          <p className="unseen" role="status">
            {spoken(asked)}
          </p>
        </header>
        {isRunning(asked) ? (
          <Progress label={phase === 'waiting' ? 'Searching' : 'Answering'} />
        ) : (
          <hr className="answer-rule" />
        )}
        {phase === 'done' && report.answered === false && (
          <Notice title="Not in the sources.">
            What was found does not answer this; the closest passages stand beside.
          </Notice>
        )}
        {asked.text !== '' && (
          <Prose
            text={isRunning(asked) ? withoutHalfMarker(asked.text) : asked.text}
            sources={report.sources}
            isRunning={isRunning(asked)}
            pointed={pointed}
            onPoint={setPointed}
            onVisit={visit}
          />
        )}
        <Outcome asked={asked} canTrace={canTrace} onRetry={onRetry} />
        {!isNothing && <Facts asked={asked} canTrace={canTrace} elapsedMs={elapsedMs} />}
        {report.stages.length > 0 && <Waterfall title="Stages" spans={report.stages} />}
      </section>
      {report.sources.length > 0 && (
        <Sources sources={report.sources} pointed={pointed} onPoint={setPointed} onOpen={setOpened} />
      )}
      {opened !== undefined && <DocumentSheet source={opened} house={house} onClose={() => setOpened(undefined)} />}
    </div>
  )
}

/** How it ended, when it did not simply end. */
function Outcome({ asked, canTrace, onRetry }: { asked: Asked; canTrace: boolean; onRetry: () => void }) {
  const { phase, problem, text } = asked
  if (phase === 'failed' && problem !== undefined) {
    const title = text === '' ? 'The question could not be answered' : 'The answer broke off'
    const more = canTrace && problem.requestId !== undefined && <TraceLink requestId={problem.requestId} />
    return (
      <ErrorState
        title={title}
        message={problem.message}
        code={problem.code}
        requestId={problem.requestId}
        onRetry={onRetry}
        more={more}
      />
    )
  }
  if (phase === 'truncated') {
    return (
      <ErrorState
        title="The answer broke off"
        message="The connection ended before the server said that the answer was complete. What arrived is shown above; take it for a part."
        code="truncated"
        requestId={asked.report.requestId}
        onRetry={onRetry}
      />
    )
  }
  if (phase === 'stopped') {
    return (
      <Notice tone="caution" title="Stopped.">
        {text === '' ? 'Nothing had arrived.' : 'What had arrived is shown.'}
      </Notice>
    )
  }
  if (phase === 'done' && text === '')
    return <Notice title="The answer is empty.">The model ended without a word.</Notice>
  return null
}

function spoken({ phase, report }: Asked): string {
  if (phase === 'waiting') return 'Searching'
  if (phase === 'streaming') return 'Answering'
  if (phase === 'done') return `Answer complete, ${report.sources.length} sources`
  return ''
}
