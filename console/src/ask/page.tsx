import { Fragment, useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Collection, House, Model, Session } from '../api/house.ts'
import type { Problem } from '../api/problem.ts'
import { CopyText } from '../design/copy.tsx'
import { Progress } from '../design/progress.tsx'
import { Command, EmptyState, ErrorState } from '../design/state.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount } from '../design/units.ts'
import { useKeys } from '../shell/keys.ts'
import { usePlace, useRouter } from '../shell/route.ts'
import { addressOf, askedAt } from './address.ts'
import { Answer } from './answer.tsx'
import { Composer } from './composer.tsx'
import { isRunning, type AskStore } from './store.ts'
import './ask.css'

const COLLECTIONS_SHOWN_MAX = 6
const LOOK_AGAIN_MS = 3000

interface Props {
  readonly house: House
  readonly store: AskStore
  readonly session: Session
  readonly onUnknown: () => void
}

export function AskPage({ house, store, session, onUnknown }: Props) {
  const place = usePlace()
  const router = useRouter()
  const [supply, reload] = useSupply(house, onUnknown)
  const list = useSyncExternalStore(store.subscribe, store.list)
  const box = useRef<HTMLTextAreaElement>(null)
  const asked = list.find((one) => one.id === askedAt(place))
  const linked = place.query.get('q') ?? ''
  const isUnknown = asked?.problem?.status === 401
  useEffect(() => {
    if (isUnknown) onUnknown()
  }, [isUnknown, onUnknown])
  useEffect(() => {
    document.title = linked === '' ? 'Headworks' : `${linked} · Headworks`
  }, [linked])
  useKeys({
    '/': (event) => {
      event.preventDefault()
      box.current?.focus()
      box.current?.select()
    },
    Escape: () => asked !== undefined && isRunning(asked) && store.stop(asked.id),
  })

  const ask = (question: string, model: string) => {
    router.go(addressOf({ question, model }), { asked: store.ask({ question, model }) })
  }
  return (
    <div className="ask" data-idle={asked === undefined || undefined}>
      <h1 className={asked === undefined ? 'ask-title' : 'unseen'}>Ask the documents</h1>
      {supply.state === 'loading' && <Progress label="Loading the models" />}
      {supply.state === 'failed' && (
        <ErrorState title="The models could not be listed" {...shownOf(supply.problem)} onRetry={reload} />
      )}
      {supply.state === 'ready' && supply.models.length === 0 && <NoModels />}
      {supply.state === 'ready' && supply.models.length > 0 && (
        <Composer
          key={`${place.path}?${place.query}`}
          box={box}
          models={supply.models}
          question={linked}
          model={place.query.get('model') ?? undefined}
          isLinked={linked !== '' && asked === undefined}
          isRunning={asked !== undefined && isRunning(asked)}
          onAsk={ask}
          onStop={() => asked !== undefined && store.stop(asked.id)}
        />
      )}
      {supply.state === 'ready' && supply.collections?.length === 0 && <NoCollection />}
      {supply.state === 'ready' && asked === undefined && <Stock collections={supply.collections ?? []} />}
      {asked !== undefined && (
        <Answer
          key={asked.id}
          asked={asked}
          house={house}
          canTrace={session.role === 'admin'}
          elapsedMs={() => store.elapsedMs(asked.id)}
          onRetry={() => ask(asked.question, asked.model)}
        />
      )}
    </div>
  )
}

const shownOf = ({ message, code, requestId }: Problem) => ({ message, code, requestId })

type Supply =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly problem: Problem }
  /** Collections are undefined for a key that may not see them. */
  | {
      readonly state: 'ready'
      readonly models: readonly Model[]
      readonly collections: readonly Collection[] | undefined
    }

/** What can be asked, and about what. Looks again while there is no collection. */
function useSupply(house: House, onUnknown: () => void): readonly [Supply, retry: () => void] {
  const [supply, setSupply] = useState<Supply>({ state: 'loading' })
  const load = useCallback(
    () =>
      Promise.all([house.models(), house.collections()]).then(([models, collections]) => {
        if (models.ok) {
          const chatting = models.value.filter((model) => model.chats)
          setSupply({ state: 'ready', models: chatting, collections: collections.ok ? collections.value : undefined })
        } else if (models.problem.status === 401) onUnknown()
        else setSupply({ state: 'failed', problem: models.problem })
      }),
    [house, onUnknown],
  )
  useEffect(() => void load(), [load])
  const isEmpty = supply.state === 'ready' && supply.collections?.length === 0
  useEffect(() => {
    if (!isEmpty) return undefined
    const timer = setInterval(() => void load(), LOOK_AGAIN_MS)
    return () => clearInterval(timer)
  }, [isEmpty, load])
  return [supply, () => void load()]
}

/** What answers rest on, and where the same is for programs. */
function Stock({ collections }: { collections: readonly Collection[] }) {
  const base = `${location.origin}/v1`
  return (
    <TitleBlock label="What there is to ask">
      {collections.slice(0, COLLECTIONS_SHOWN_MAX).map((collection) => (
        <Fragment key={collection.name}>
          <Cell name="Collection" span={4}>
            {collection.name}
          </Cell>
          <Cell name="Documents">{formatCount(collection.documents)}</Cell>
          <Cell name="Passages">{formatCount(collection.chunks)}</Cell>
        </Fragment>
      ))}
      <Cell name="For any OpenAI client" span={6}>
        <span className="minor">base_url</span> <code>{base}</code>
        <CopyText text={base} what="the base URL" />
      </Cell>
    </TitleBlock>
  )
}

function NoCollection() {
  return (
    <EmptyState title="No collection yet">
      <p>Answers come from documents. Put a folder of documents into the collection that the workflow reads:</p>
      <Command>npx headworks ingest handbook ./docs</Command>
      <p>This page notices when they are in.</p>
    </EmptyState>
  )
}

function NoModels() {
  return (
    <EmptyState title="No model that chats">
      <p>
        Name one under <code>models:</code> or <code>workflows:</code> in <code>headworks.yaml</code>, then check what
        the server makes of it:
      </p>
      <Command>npx headworks doctor</Command>
    </EmptyState>
  )
}
