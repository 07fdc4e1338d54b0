import { useEffect, useMemo, useState } from 'react'
import { openCollections } from '../api/collections.ts'
import { openHouse } from '../api/house.ts'
import { openSearch, type Found, type Passage } from '../api/search.ts'
import { DocumentSheet } from '../ask/document.tsx'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Command, EmptyState } from '../design/state.tsx'
import { formatCount, formatMs } from '../design/units.ts'
import { Waterfall } from '../design/waterfall.tsx'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { usePlace, useRouter } from '../shell/route.ts'
import { askedOf, type Draft, readAddress, writeAddress } from './address.ts'
import { SearchForm } from './form.tsx'
import { Results } from './results.tsx'
import './playground.css'

export default function PlaygroundPage() {
  const { send } = useAccess()
  const api = useMemo(() => openCollections(send), [send])
  const [found, reload] = useLoad('collections', () => api.list())
  useEffect(() => {
    document.title = 'Search · Headworks'
  }, [])
  return (
    <div className="screen">
      <header className="screen-head">
        <h1>Search</h1>
      </header>
      {found.state === 'loading' && <Progress label="Loading the collections" />}
      {found.state === 'failed' && (
        <Failed title="The collections could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.length === 0 && (
        <EmptyState title="Nothing to search yet">
          <p>There is no collection. Fill one from a folder:</p>
          <Command>npx headworks ingest handbook ./docs</Command>
        </EmptyState>
      )}
      {found.state === 'ready' && found.value.length > 0 && <Playground names={found.value.map(({ name }) => name)} />}
    </div>
  )
}

function Playground({ names }: { names: readonly string[] }) {
  const { query } = usePlace()
  const router = useRouter()
  const address = query.toString()
  const asked = readAddress(query)
  const whole = { ...asked, collection: asked.collection === '' ? (names[0] ?? '') : asked.collection }
  const [{ draft, of }, setDraft] = useState<{ draft: Draft; of: string }>({ draft: whole, of: address })
  // Going back and forth changes the form with the results.
  if (of !== address) setDraft({ draft: whole, of: address })
  /** Grows when the same is asked again. */
  const [turn, setTurn] = useState(0)
  const submit = (wanted: Draft) => {
    const url = writeAddress(wanted)
    setTurn(turn + 1)
    if (url !== `/search?${address}`) router.go(url)
  }
  return (
    <>
      <SearchForm
        names={names.includes(draft.collection) ? names : [...names, draft.collection]}
        draft={draft}
        onChange={(next) => setDraft({ draft: next, of: address })}
        onSubmit={submit}
      />
      {asked.question.trim() === '' ? (
        <p className="minor">
          Each passage is shown with where each leg of the search had it, and what the search took.
        </p>
      ) : (
        <Searched asked={whole} turn={turn} />
      )}
    </>
  )
}

function Searched({ asked, turn }: { asked: Draft; turn: number }) {
  const { send } = useAccess()
  const api = useMemo(() => openSearch(send), [send])
  const [found, reload] = useLoad(`${turn} ${writeAddress(asked)}`, () => api.search(askedOf(asked)))
  const [opened, setOpened] = useState<Passage>()
  const house = useMemo(() => openHouse(send), [send])
  if (found.state === 'loading') return <Progress label="Searching" />
  if (found.state === 'failed')
    return <Failed title="The search was not made" problem={found.problem} onRetry={reload} />
  return (
    <div className="searched" data-stale={found.isStale || undefined}>
      <section className="screen-part" aria-label="Passages" aria-live="polite">
        <h2 className="searched-head">{summaryOf(found.value)}</h2>
        {found.value.passages.length === 0 && (
          <p>
            Nothing was found.{' '}
            {asked.filters.length > 0 ? 'The filter may let nothing through.' : 'The collection may be empty.'}
          </p>
        )}
        <Results passages={found.value.passages} question={asked.question} onOpen={setOpened} />
      </section>
      <aside className="panel searched-stages">
        <Waterfall title="What it took" spans={found.value.stages} />
      </aside>
      {opened !== undefined && (
        <DocumentSheet
          source={{ ...opened, number: 1, collection: asked.collection, quotes: [] }}
          house={house}
          onClose={() => setOpened(undefined)}
        />
      )}
    </div>
  )
}

const FUSIONS: { readonly [name: string]: string } = {
  rank: 'words and vectors put together by rank (RRF)',
  score: 'words and vectors put together by calibrated scores',
}

function summaryOf({ passages, fusion, stages }: Found): string {
  const tookMs = Math.max(0, ...stages.map(({ endMs }) => endMs))
  const count = `${formatCount(passages.length)} ${passages.length === 1 ? 'passage' : 'passages'}`
  const alone = passages.some(({ legs }) => legs.has('vector')) ? 'by vectors alone' : 'by words alone'
  return `${count} in ${formatMs(tookMs)}, ${FUSIONS[fusion] ?? alone}`
}
