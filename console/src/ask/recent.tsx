import { useSyncExternalStore } from 'react'
import { Link } from '../shell/link.tsx'
import { usePlace } from '../shell/route.ts'
import { addressOf, askedAt } from './address.ts'
import { isRunning, type Asked, type AskStore } from './store.ts'

const STATE: { readonly [phase in Asked['phase']]: string } = {
  waiting: 'answering',
  streaming: 'answering',
  done: '',
  stopped: 'stopped',
  truncated: 'broke off',
  failed: 'failed',
}

/** The questions of this tab, newest first. */
export function Recent({ store }: { store: AskStore }) {
  const list = useSyncExternalStore(store.subscribe, store.list)
  const shown = askedAt(usePlace())
  if (list.length === 0) return null
  return (
    <nav aria-label="Recent questions" className="recent">
      <h2 className="label">Recent in this tab</h2>
      <ol className="recent-list">
        {list.map((asked) => (
          <li key={asked.id}>
            <Link
              className="recent-link"
              href={addressOf(asked)}
              note={{ asked: asked.id }}
              aria-current={asked.id === shown ? 'true' : undefined}
              title={asked.question}
            >
              <span className="recent-question">{asked.question}</span>
              {STATE[asked.phase] !== '' && (
                <span className="recent-state" data-running={isRunning(asked) || undefined}>
                  {STATE[asked.phase]}
                </span>
              )}
            </Link>
          </li>
        ))}
      </ol>
    </nav>
  )
}
