import { useState } from 'react'
import type { CollectionsApi, DeadLetter } from '../api/collections.ts'
import { Button } from '../design/button.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Sentence } from '../design/sentence.tsx'
import { formatCount, formatRelative } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { useRouter } from '../shell/route.ts'

/** Documents that could not be read, and why. */
export function DeadLetters({ api, name }: { api: CollectionsApi; name: string }) {
  const [found, reload] = useLoad(name, () => api.deadLetters(name))
  const router = useRouter()
  const [problem, setProblem] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const replay = async (document?: string) => {
    setBusy(true)
    const begun = await api.replay(name, document)
    setBusy(false)
    if (begun.ok) router.go(`/ingests?${new URLSearchParams({ collection: name })}`)
    else setProblem(begun.problem.message)
  }
  const letters = found.state === 'ready' ? found.value.rows : []
  return (
    <section className="screen-part" aria-label="Dead letters">
      <header className="screen-part-head">
        <h2 className="label">
          Dead letters{' '}
          {found.state === 'ready' && (
            <span className="figure">
              {formatCount(letters.length)}
              {!found.value.isComplete && '+'}
            </span>
          )}
        </h2>
        {letters.some(({ isReplayable }) => isReplayable) && (
          <Button icon="retry" disabled={isBusy} onClick={() => void replay()}>
            Read all again
          </Button>
        )}
      </header>
      {found.state === 'loading' && <Progress label="Loading the dead letters" />}
      {found.state === 'failed' && (
        <Failed title="The dead letters could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {problem !== undefined && (
        <p className="form-problem" role="alert">
          <Sentence text={problem} />
        </p>
      )}
      {found.state === 'ready' && letters.length === 0 && <p className="minor">Every document could be read.</p>}
      {letters.length > 0 && (
        <ul className="row-list">
          {letters.map((letter) => (
            <Letter
              key={letter.document}
              letter={letter}
              isBusy={isBusy}
              onReplay={() => void replay(letter.document)}
            />
          ))}
        </ul>
      )}
    </section>
  )
}

interface LetterProps {
  readonly letter: DeadLetter
  readonly isBusy: boolean
  readonly onReplay: () => void
}

function Letter({ letter, isBusy, onReplay }: LetterProps) {
  const nowMs = useNow()
  const { uri, code, message, attempts, lastMs, isReplayable } = letter
  return (
    <li className="letter">
      <div className="letter-what">
        <Name>{uri}</Name>
        <span>
          <Sentence text={message} />
        </span>
        <span className="minor figure">
          <code>{code}</code> · tried {attempts === 1 ? 'once' : `${formatCount(attempts)} times`}
          {lastMs !== undefined && `, last ${formatRelative(lastMs, nowMs)}`}
        </span>
      </div>
      {isReplayable ? (
        <Button kind="quiet" icon="retry" disabled={isBusy} aria-label={`Read ${uri} again`} onClick={onReplay}>
          Read again
        </Button>
      ) : (
        <span className="minor">must be sent again</span>
      )}
    </li>
  )
}
