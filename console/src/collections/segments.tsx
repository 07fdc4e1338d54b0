import type { CollectionsApi, Segment, Segments } from '../api/collections.ts'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { formatCount, formatShare } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'

/** Segments drawn one by one; the others are told together. */
const DRAWN_MAX = 12

interface Props {
  readonly api: CollectionsApi
  readonly name: string
  readonly turn: number
}

/** What it answers from: immutable pieces of the index, and how much of each is removed. */
export function SegmentBars({ api, name, turn }: Props) {
  const [found, reload] = useLoad(`${turn}`, () => api.segments(name))
  return (
    <section className="screen-part" aria-label="Segments">
      <h2 className="label">
        Segments {found.state === 'ready' && <span className="figure">{formatCount(found.value.segments.length)}</span>}
      </h2>
      {found.state === 'loading' && <Progress label="Loading the segments" />}
      {found.state === 'failed' && (
        <Failed title="The segments could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && <Drawn found={found.value} />}
    </section>
  )
}

function Drawn({ found }: { found: Segments }) {
  const { parts } = found
  const segments = found.segments.toSorted((a, b) => b.chunks - a.chunks)
  if (segments.length === 0) return <p className="minor">Nothing is indexed.</p>
  const most = segments[0]?.chunks ?? 1
  const rest = segments.slice(DRAWN_MAX)
  const removed = segments.reduce((sum, one) => sum + one.removed, 0)
  const all = segments.reduce((sum, one) => sum + one.chunks, 0)
  return (
    <div className="panel">
      <p className="figure">
        {formatShare(removed / Math.max(1, all))} <span className="minor">of what is indexed is removed</span>
      </p>
      <ul className="segment-list">
        {segments.slice(0, DRAWN_MAX).map((segment) => (
          <Bar key={segment.name} segment={segment} most={most} />
        ))}
        {rest.length > 0 && (
          <li className="minor figure">
            {formatCount(rest.length)} others, {formatCount(rest.reduce((sum, one) => sum + one.chunks, 0))} passages
          </li>
        )}
      </ul>
      {parts.length > 0 && (
        <>
          <h3>
            Parts <span className="minor">that the segments are searched in</span>
          </h3>
          <ul className="segment-list">
            {parts.map((part) => (
              <Bar
                key={part.name}
                segment={{ ...part, removed: 0 }}
                most={Math.max(...parts.map(({ chunks }) => chunks))}
                about={`of ${formatCount(part.segments)} segments`}
              />
            ))}
          </ul>
        </>
      )}
    </div>
  )
}

function Bar({ segment, most, about }: { segment: Segment; most: number; about?: string }) {
  const { name, chunks, removed } = segment
  return (
    <li className="segment">
      <Name>{name.split('/').at(-1) ?? name}</Name>
      <span className="segment-track" aria-hidden="true">
        <span className="segment-live" style={{ '--size': (chunks - removed) / Math.max(1, most) }} />
        <span className="segment-removed" style={{ '--size': removed / Math.max(1, most) }} />
      </span>
      <span className="segment-text figure">
        {formatCount(chunks)}{' '}
        <span className="minor">
          {about ?? (removed > 0 ? `${formatShare(removed / chunks)} removed` : 'none removed')}
        </span>
      </span>
    </li>
  )
}
