import { useEffect, useMemo } from 'react'
import { type CollectionsApi, openCollections } from '../api/collections.ts'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Command, EmptyState } from '../design/state.tsx'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { usePlace } from '../shell/route.ts'
import { OneCollection } from './one.tsx'
import { CollectionRow } from './row.tsx'
import './collections.css'

export default function CollectionsPage() {
  const { send } = useAccess()
  const api = useMemo(() => openCollections(send), [send])
  const name = usePlace().query.get('collection')
  useEffect(() => {
    document.title = `${name ?? 'Collections'} · Headworks`
  }, [name])
  if (name !== null) return <OneCollection key={name} api={api} name={name} />
  return <List api={api} />
}

function List({ api }: { api: CollectionsApi }) {
  const [found, reload] = useLoad('collections', () => api.list())
  return (
    <div className="screen">
      <header className="screen-head">
        <h1>Collections</h1>
      </header>
      {found.state === 'loading' && <Progress label="Loading the collections" />}
      {found.state === 'failed' && (
        <Failed title="The collections could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.length === 0 && <NoCollections />}
      {found.state === 'ready' && found.value.length > 0 && (
        <ul className="collection-list">
          {found.value.map((one) => (
            <CollectionRow key={one.name} api={api} collection={one} />
          ))}
        </ul>
      )}
    </div>
  )
}

function NoCollections() {
  return (
    <EmptyState title="No collections yet">
      <p>A collection holds documents that questions are answered from. Fill one from a folder:</p>
      <Command>npx headworks ingest handbook ./docs</Command>
      <p>It is read here on the page Ingests, and searchable while it is being read.</p>
    </EmptyState>
  )
}
