import type { Collection, CollectionsApi, Quality } from '../api/collections.ts'
import { Interval } from '../design/interval.tsx'
import { Name } from '../design/name.tsx'
import { formatBytes, formatCount, formatMs } from '../design/units.ts'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { completenessText, mostMeasured, recallText, selectivityText, spaceText, TONES, verdictOf } from './words.ts'

/** One scale for the whole list. */
const SCALE_FROM = 0.5

interface Props {
  readonly api: CollectionsApi
  readonly collection: Collection
}

/** A collection, and how well it answers. All of the row leads to its page. */
export function CollectionRow({ api, collection }: Props) {
  const { name, documents, chunks, bytes, embedding } = collection
  const [found] = useLoad(name, () => api.one(name))
  return (
    <li className="collection-row">
      <div className="collection-cell">
        <Link className="collection-link" href={`/collections?${new URLSearchParams({ collection: name })}`}>
          <Name>{name}</Name>
        </Link>
        <span className="minor">{spaceText(embedding)}</span>
      </div>
      <div className="collection-cell figure">
        <span>
          <strong>{formatCount(documents)}</strong> {documents === 1 ? 'document' : 'documents'}
        </span>
        <span className="minor">
          {formatCount(chunks)} {chunks === 1 ? 'passage' : 'passages'} · {formatBytes(bytes)}
        </span>
      </div>
      {found.state === 'loading' && <p className="collection-cell minor">…</p>}
      {found.state === 'failed' && <p className="collection-cell minor">{found.problem.message}</p>}
      {found.state === 'ready' && <Measured name={name} quality={found.value.quality} />}
    </li>
  )
}

function Measured({ name, quality }: { name: string; quality: Quality | undefined }) {
  if (quality === undefined) return <p className="collection-cell minor">Not measured here.</p>
  const { recallTarget, freshness, completeness } = quality
  const recall = mostMeasured(quality.recalls)
  return (
    <>
      <div className="collection-cell">
        {recall?.mean === undefined ? (
          <span className="minor">No recall measured yet</span>
        ) : (
          <>
            <Interval
              label={`Recall of ${name}, ${selectivityText(recall.selectivity)}`}
              text={`${recallText(recall)}${recallTarget === undefined ? '' : `, target ${recallTarget}`}`}
              mean={recall.mean}
              low={recall.low}
              high={recall.high}
              target={recallTarget}
              tone={TONES[verdictOf(recall, recallTarget)]}
              from={SCALE_FROM}
            />
            <span className="minor figure">recall@10 {recallText(recall)}</span>
          </>
        )}
      </div>
      <div className="collection-cell figure">
        {freshness.p95Ms === undefined ? (
          <span className="minor">No freshness measured yet</span>
        ) : (
          <span>searchable after {formatMs(freshness.p95Ms)}</span>
        )}
        <span className="minor">
          {freshness.p95Ms !== undefined && `p95, n = ${formatCount(freshness.count)} · `}
          {completeness !== undefined && (
            <span data-tone={completeness.searchable < completeness.chunks ? 'danger' : undefined}>
              answers from {completenessText(completeness)}
            </span>
          )}
        </span>
      </div>
    </>
  )
}
