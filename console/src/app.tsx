import { Component, lazy, Suspense, useCallback, useEffect, useMemo, useState, type ReactNode } from 'react'
import type { Fetch } from './api/chat.ts'
import type { House, Session } from './api/house.ts'
import type { Problem } from './api/problem.ts'
import { AskPage } from './ask/page.tsx'
import { Recent } from './ask/recent.tsx'
import type { AskStore } from './ask/store.ts'
import { EmptyState, ErrorState } from './design/state.tsx'
import { Progress } from './design/progress.tsx'
import { AccessContext } from './shell/access.ts'
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

/** Screens that are fetched when somebody goes there. */
const LAZY: { readonly [path: string]: ReturnType<typeof lazy<() => ReactNode>> } = {
  '/home': lazy(() => import('./home/page.tsx')),
  '/collections': lazy(() => import('./collections/page.tsx')),
  '/search': lazy(() => import('./playground/page.tsx')),
  '/ingests': lazy(() => import('./ingests/page.tsx')),
  '/budgets': lazy(() => import('./budgets/page.tsx')),
  '/usage': lazy(() => import('./usage/page.tsx')),
  '/traces': lazy(() => import('./traces/page.tsx')),
  '/prompts': lazy(() => import('./prompts/page.tsx')),
  '/keys': lazy(() => import('./keys/page.tsx')),
  '/record': lazy(() => import('./record/page.tsx')),
}

interface Props {
  readonly send: Fetch
  readonly house: House
  readonly store: AskStore
}

export function App({ send, house, store }: Props) {
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
  const forget = useCallback(() => setAccess({ state: 'nobody' }), [])
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
        send={send}
        house={house}
        store={store}
        session={access.session}
        onSignOut={signOut}
        onUnknown={forget}
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

function Screens({ send, house, store, session, onSignOut, onUnknown }: ScreenProps) {
  const { path } = usePlace()
  const access = useMemo(() => ({ send, onUnknown }), [send, onUnknown])
  const isAsk = path === '/' || path === '/ask'
  const Lazy = LAZY[path]
  return (
    <AccessContext value={access}>
      <Shell session={session} onSignOut={onSignOut} extra={isAsk && <Recent store={store} />}>
        {isAsk && <AskPage house={house} store={store} session={session} onUnknown={onUnknown} />}
        {Lazy !== undefined && session.role === 'admin' && (
          <Fetched key={path}>
            <Suspense fallback={<Progress label="Loading the page" />}>
              <Lazy />
            </Suspense>
          </Fetched>
        )}
        {Lazy !== undefined && session.role !== 'admin' && <AdminsOnly />}
        {!isAsk && Lazy === undefined && <Nowhere path={path} />}
      </Shell>
    </AccessContext>
  )
}

/** A screen that could not be fetched: the server is gone, or has another version by now. */
class Fetched extends Component<{ readonly children: ReactNode }, { readonly failed: boolean }> {
  override state = { failed: false }

  static getDerivedStateFromError(): { readonly failed: boolean } {
    return { failed: true }
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children
    return (
      <div className="nowhere">
        <ErrorState
          title="The page could not be loaded"
          message="The server does not answer, or has been updated since this tab was opened. Load it again."
          code="page_failed"
          onRetry={() => location.reload()}
        />
      </div>
    )
  }
}

function AdminsOnly() {
  return (
    <div className="nowhere">
      <EmptyState title="For administrators">
        <p>
          Your key may ask, and no more. Sign in with the key of an administrator, or{' '}
          <Link href="/">ask a question</Link>.
        </p>
      </EmptyState>
    </div>
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
