import { type Collection, type CollectionsApi, openCollections } from '../api/collections.ts'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Tier } from '../design/tier.tsx'
import { formatCount, formatMs, formatRelative } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'

const SHOWN_MAX = 6

/** How fresh what is searched is. */
export function HomeCollections() {
  const { send } = useAccess()
  const api = openCollections(send)
  const [found, reload] = useLoad('collections', () => api.list())
  const all = found.state === 'ready' ? found.value : []
  return (
    <section className="screen-part" aria-label="Collections">
      <header className="screen-part-head">
        <h2 className="label">Freshness of collections</h2>
        <Link href="/collections">All collections</Link>
      </header>
      {found.state === 'loading' && <Progress label="Loading the collections" />}
      {found.state === 'failed' && (
        <Failed title="The collections could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && all.length === 0 && <p className="minor">There is no collection yet.</p>}
      {all.length > 0 && (
        <ul className="row-list">
          {all.slice(0, SHOWN_MAX).map((collection) => (
            <Row key={collection.name} api={api} collection={collection} />
          ))}
        </ul>
      )}
      {all.length > SHOWN_MAX && (
        <p className="minor">
          {SHOWN_MAX} of {formatCount(all.length)}.
        </p>
      )}
    </section>
  )
}

function Row({ api, collection }: { api: CollectionsApi; collection: Collection }) {
  const { name, documents, updatedMs } = collection
  const nowMs = useNow()
  const [found] = useLoad(name, () => api.one(name))
  const fresh = found.state === 'ready' ? found.value.quality?.freshness : undefined
  const isLate = fresh?.p95Ms !== undefined && fresh.targetMs !== undefined && fresh.p95Ms > fresh.targetMs
  return (
    <li className="home-row">
      <span className="home-collection">
        <Link href={`/collections?collection=${encodeURIComponent(name)}`}>
          <Name>{name}</Name>
        </Link>
        {isLate && <Tier tone="danger">late</Tier>}
      </span>
      <span className="minor figure">
        {formatCount(documents)} {documents === 1 ? 'document' : 'documents'}, the last change{' '}
        {updatedMs === undefined ? 'unknown' : formatRelative(updatedMs, nowMs)}
      </span>
      <span className="figure">
        {fresh?.p95Ms === undefined
          ? 'No change was measured until it could be found.'
          : `A change is found after p95 ${formatMs(fresh.p95Ms)} (n ${formatCount(fresh.count)}${
              fresh.targetMs === undefined ? '' : `, target ${formatMs(fresh.targetMs)}`
            }).`}
      </span>
    </li>
  )
}
