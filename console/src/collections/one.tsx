import { useMemo, useState } from 'react'
import type { Collection, CollectionsApi } from '../api/collections.ts'
import { openIngests } from '../api/ingests.ts'
import { Button } from '../design/button.tsx'
import { FormSheet } from '../design/form.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatBytes, formatCount, formatRelative, formatTime } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { useRouter } from '../shell/route.ts'
import { Generations } from './generations.tsx'
import { DeadLetters } from './letters.tsx'
import { Targets } from './quality.tsx'
import { Receipts } from './receipts.tsx'
import { SegmentBars } from './segments.tsx'
import { Sources } from './sources.tsx'
import { spaceText } from './words.ts'

/** Everything about one collection. */
export function OneCollection({ api, name }: { api: CollectionsApi; name: string }) {
  /** Grows when something was done: what is shown is then asked anew. */
  const [turn, setTurn] = useState(0)
  const [found, reload] = useLoad(`${turn}`, () => api.one(name))
  const changed = () => setTurn((before) => before + 1)
  return (
    <div className="screen">
      <header className="screen-head">
        <h1>
          <Link className="crumb" href="/collections">
            Collections
          </Link>{' '}
          <Name>{name}</Name>
        </h1>
        {found.state === 'ready' && <Actions name={name} />}
      </header>
      {found.state === 'loading' && <Progress label="Loading the collection" />}
      {found.state === 'failed' && (
        <Failed title="The collection could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && (
        <>
          <Facts collection={found.value} />
          <div className="collection-parts">
            <div className="collection-column">
              <Targets quality={found.value.quality} />
              <SegmentBars api={api} name={name} turn={turn} />
            </div>
            <div className="collection-column">
              <Generations api={api} name={name} turn={turn} embedding={found.value.embedding} onChange={changed} />
              <Sources api={api} name={name} />
              <DeadLetters api={api} name={name} />
              <Receipts api={api} name={name} />
            </div>
          </div>
        </>
      )}
    </div>
  )
}

function Facts({ collection }: { collection: Collection }) {
  const nowMs = useNow()
  const { documents, chunks, bytes, updatedMs, embedding } = collection
  return (
    <TitleBlock label="What it holds">
      <Cell name="Documents">{formatCount(documents)}</Cell>
      <Cell name="Passages">{formatCount(chunks)}</Cell>
      <Cell name="Size" span={2} title="Of the files it was read from">
        {formatBytes(bytes)}
      </Cell>
      <Cell name="Last change" span={2}>
        {updatedMs !== undefined && (
          <>
            {formatTime(updatedMs, nowMs)} <span className="minor">{formatRelative(updatedMs, nowMs)}</span>
          </>
        )}
      </Cell>
      <Cell name="Embedding space" span={6}>
        {spaceText(embedding)}
      </Cell>
    </TitleBlock>
  )
}

function Actions({ name }: { name: string }) {
  const { send } = useAccess()
  const router = useRouter()
  const ingests = useMemo(() => openIngests(send), [send])
  const [isAsking, setAsking] = useState(false)
  return (
    <div className="collection-actions">
      <Link className="button" href={`/search?${new URLSearchParams({ collection: name })}`}>
        Search it
      </Link>
      <Button icon="retry" onClick={() => setAsking(true)}>
        Ingest again…
      </Button>
      {isAsking && (
        <FormSheet
          title="Ingest again"
          about={
            <p>
              Reads the sources that the configuration names for <Name>{name}</Name> once more. What has not changed is
              skipped; documents whose source is gone are removed.
            </p>
          }
          action="Read again"
          onSubmit={async () => {
            const begun = await ingests.start(name)
            if (!begun.ok) return begun.problem
            router.go(`/ingests?${new URLSearchParams({ collection: name })}`)
            return undefined
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </div>
  )
}
