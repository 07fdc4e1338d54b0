import { useEffect, useState } from 'react'
import type { CollectionsApi, Embedding, Generation } from '../api/collections.ts'
import type { Result } from '../api/problem.ts'
import { Button } from '../design/button.tsx'
import { FormSheet } from '../design/form.tsx'
import { Progress } from '../design/progress.tsx'
import { Tier } from '../design/tier.tsx'
import { formatCount, formatTime } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { usePlace, useRouter } from '../shell/route.ts'
import { CompareSheet } from './compare.tsx'
import { fittedText, modelText } from './words.ts'

/** How often a generation that is being built is looked at. */
const POLL_MS = 2000

interface Props {
  readonly api: CollectionsApi
  readonly name: string
  readonly turn: number
  /** Of the one that answers. */
  readonly embedding: Embedding | undefined
  readonly onChange: () => void
}

type Doing = 'create' | 'rollback' | { readonly what: 'activate' | 'drop'; readonly generation: Generation }

/** The ways to hold the collection, side by side: which one answers, and what can be done about it. */
export function Generations({ api, name, turn, embedding, onChange }: Props) {
  const [found, reload] = useLoad(`${turn}`, () => api.generations(name))
  const [doing, setDoing] = useState<Doing>()
  const router = useRouter()
  const compared = usePlace().query.get('compare')
  const all = found.state === 'ready' ? found.value : []
  const isBuilding = all.some(({ state }) => state === 'building')
  useEffect(() => {
    if (!isBuilding) return undefined
    const timer = setInterval(reload, POLL_MS)
    return () => clearInterval(timer)
  }, [isBuilding, reload])
  const other = all.find(({ id, isLive }) => id === compared && !isLive)
  return (
    <section className="screen-part" aria-label="Generations">
      <header className="screen-part-head">
        <h2 className="label">
          Generations {found.state === 'ready' && <span className="figure">{formatCount(all.length)}</span>}
        </h2>
        <div className="collection-actions">
          {all.some(({ isFormer }) => isFormer) && <Button onClick={() => setDoing('rollback')}>Roll back…</Button>}
          <Button icon="plus" onClick={() => setDoing('create')}>
            New generation…
          </Button>
        </div>
      </header>
      {found.state === 'loading' && <Progress label="Loading the generations" />}
      {found.state === 'failed' && (
        <Failed title="The generations could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {all.length > 0 && (
        <ul className="row-list">
          {all.map((generation) => (
            <Row key={generation.id} name={name} generation={generation} embedding={embedding} onDo={setDoing} />
          ))}
        </ul>
      )}
      {doing !== undefined && (
        <Confirm
          api={api}
          name={name}
          doing={doing}
          onDone={() => {
            setDoing(undefined)
            reload()
            onChange()
          }}
          onClose={() => setDoing(undefined)}
        />
      )}
      {other !== undefined && (
        <CompareSheet
          api={api}
          name={name}
          generation={other}
          live={all.find(({ isLive }) => isLive)}
          onClose={() => router.go(`/collections?${new URLSearchParams({ collection: name })}`)}
        />
      )}
    </section>
  )
}

interface RowProps {
  readonly name: string
  readonly generation: Generation
  readonly embedding: Embedding | undefined
  readonly onDo: (doing: Doing) => void
}

function Row({ name, generation, embedding, onDo }: RowProps) {
  const nowMs = useNow()
  const { id, model, state, reason, isLive, isFormer, documents, chunks, createdMs } = generation
  return (
    <li className="generation">
      <div className="letter-what">
        <span className="generation-name">
          <strong>{id}</strong>
          {isLive && <Tier tone="good">answers</Tier>}
          {isFormer && <Tier>answered before</Tier>}
          {state !== 'ready' && <Tier tone={state === 'failed' ? 'danger' : 'caution'}>{state}</Tier>}
        </span>
        <span>{isLive ? fittedText(model, embedding) : modelText(model)}</span>
        <span className="minor figure">
          {formatCount(documents)} documents · {formatCount(chunks)} passages
          {createdMs !== undefined && ` · ${formatTime(createdMs, nowMs)}`}
        </span>
        {reason !== undefined && <span className="generation-reason">{reason}</span>}
      </div>
      {!isLive && (
        <div className="collection-actions">
          <Link className="button" href={`/collections?${new URLSearchParams({ collection: name, compare: id })}`}>
            Compare…
          </Link>
          <Button onClick={() => onDo({ what: 'activate', generation })}>Activate…</Button>
          <Button kind="danger" onClick={() => onDo({ what: 'drop', generation })}>
            Remove…
          </Button>
        </div>
      )}
    </li>
  )
}

interface ConfirmProps {
  readonly api: CollectionsApi
  readonly name: string
  readonly doing: Doing
  readonly onDone: () => void
  readonly onClose: () => void
}

function Confirm({ api, name, doing, onDone, onClose }: ConfirmProps) {
  const { title, about, action, tone, run } = asked(api, name, doing)
  return (
    <FormSheet
      title={title}
      about={<p>{about}</p>}
      action={action}
      tone={tone}
      onSubmit={async () => {
        const done = await run()
        if (!done.ok) return done.problem
        onDone()
        return undefined
      }}
      onClose={onClose}
    />
  )
}

interface Asked {
  readonly title: string
  readonly about: string
  readonly action: string
  readonly tone: 'plain' | 'danger'
  readonly run: () => Promise<Result<unknown>>
}

function asked(api: CollectionsApi, name: string, doing: Doing): Asked {
  if (doing === 'create')
    return {
      title: 'New generation',
      about: `Embeds "${name}" anew, as the configuration now says, beside the one that answers. It costs as much space and as many embeddings as the collection, and changes no answer until it is activated.`,
      action: 'Build it',
      tone: 'plain',
      run: () => api.createGeneration(name),
    }
  if (doing === 'rollback')
    return {
      title: 'Roll back',
      about: 'The generation that answered before answers again, at once. What was removed since stays removed.',
      action: 'Roll back',
      tone: 'plain',
      run: () => api.rollback(name),
    }
  const { what, generation } = doing
  if (what === 'activate')
    return {
      title: `Activate ${generation.id}`,
      about: `From then on ${generation.id} answers, at once and as a whole. Rolling back is one step.`,
      action: `Activate ${generation.id}`,
      tone: 'plain',
      run: () => api.activate(name, generation.id),
    }
  return {
    title: `Remove ${generation.id}`,
    about: `Its segments and vectors are removed. To have it back it must be built again.`,
    action: `Remove ${generation.id}`,
    tone: 'danger',
    run: () => api.drop(name, generation.id),
  }
}
