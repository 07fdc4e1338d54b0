import { useCallback, useEffect, useState } from 'react'
import type { House, Session } from './api/house.ts'
import type { Problem } from './api/problem.ts'
import { AskPage } from './ask/page.tsx'
import { Recent } from './ask/recent.tsx'
import type { AskStore } from './ask/store.ts'
import { EmptyState, ErrorState } from './design/state.tsx'
import { Progress } from './design/progress.tsx'
import { Brand } from './shell/brand.tsx'
import { Link } from './shell/link.tsx'
import { usePlace } from './shell/route.ts'
import { Shell } from './shell/shell.tsx'
import { SignIn } from './shell/signin.tsx'

type Access =
  | { readonly state: 'asking' | 'nobody' }
  | { readonly state: 'known'; readonly session: Session }
  | { readonly state: 'failed'; readonly problem: Problem }

/** How often a server that does not answer is tried again. */
const RETRY_MS = 3000

interface Props {
  readonly house: House
  readonly store: AskStore
}

export function App({ house, store }: Props) {
  const [access, setAccess] = useState<Access>({ state: 'asking' })
  const enter = useCallback(
    () =>
      house.session().then((result) => {
        if (result.ok) setAccess({ state: 'known', session: result.value })
        else
          setAccess(result.problem.status === 401 ? { state: 'nobody' } : { state: 'failed', problem: result.problem })
      }),
    [house],
  )
  useEffect(() => void enter(), [enter])
  const isOffline = access.state === 'failed' && access.problem.code === 'offline'
  useEffect(() => {
    if (!isOffline) return undefined
    const timer = setInterval(() => void enter(), RETRY_MS)
    return () => clearInterval(timer)
  }, [isOffline, enter])

  if (access.state === 'known') {
    const signOut = () => {
      store.clear()
      void house.signOut().then(() => setAccess({ state: 'nobody' }))
    }
    return (
      <Screens
        house={house}
        store={store}
        session={access.session}
        onSignOut={signOut}
        onUnknown={() => setAccess({ state: 'nobody' })}
      />
    )
  }
  if (access.state === 'nobody')
    return <SignIn house={house} onSignedIn={(session) => setAccess({ state: 'known', session })} />
  return (
    <main className="boot">
      <Brand />
      {access.state === 'asking' && <Progress label="Connecting" />}
      {access.state === 'failed' && (
        <ErrorState
          title={isOffline ? 'No server' : 'The console could not start'}
          message={access.problem.message}
          code={access.problem.code}
          requestId={access.problem.requestId}
          onRetry={() => void enter()}
        />
      )}
    </main>
  )
}

interface ScreenProps extends Props {
  readonly session: Session
  readonly onSignOut: () => void
  /** The session has ended meanwhile. */
  readonly onUnknown: () => void
}

function Screens({ house, store, session, onSignOut, onUnknown }: ScreenProps) {
  const { path } = usePlace()
  const isAsk = path === '/' || path === '/ask'
  return (
    <Shell session={session} onSignOut={onSignOut} extra={isAsk && <Recent store={store} />}>
      {isAsk ? (
        <AskPage house={house} store={store} session={session} onUnknown={onUnknown} />
      ) : (
        <Nowhere path={path} />
      )}
    </Shell>
  )
}

function Nowhere({ path }: { path: string }) {
  return (
    <div className="nowhere">
      <EmptyState title="There is no such page">
        <p>
          Nothing is at <code>{path}</code>. <Link href="/">Ask a question</Link> instead.
        </p>
      </EmptyState>
    </div>
  )
}
