import type { OneTrace, Passage, Score, TracesApi } from '../api/traces.ts'
import { CopyText } from '../design/copy.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Table, type Column } from '../design/table.tsx'
import { Tier } from '../design/tier.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount, formatMs, formatNanoUsd, formatTime } from '../design/units.ts'
import { Waterfall } from '../design/waterfall.tsx'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { SpanList } from './spans.tsx'
import { factsOf, stagesOf } from './words.ts'

/** Spans of one answer, and the most that a waterfall draws whole. */
const PAGE_SPANS = 1_000
const WATERFALL_MAX = 200

export function OneTracePage({ api, id, back }: { api: TracesApi; id: string; back: string }) {
  const [found, reload] = useLoad(id, () => api.one(id, 0, PAGE_SPANS))
  return (
    <div className="screen trace">
      <header className="screen-head">
        <h1>
          <Link href={back}>Traces</Link> <span aria-hidden="true">/</span>{' '}
          <Name nobody={id}>{found.state === 'ready' ? (found.value.trace?.name ?? '') : ''}</Name>
        </h1>
        <span className="trace-id">
          <code>{id}</code>
          <CopyText text={id} what="the id" />
        </span>
      </header>
      {found.state === 'loading' && <Progress label="Loading the trace" />}
      {found.state === 'failed' && (
        <Failed title="The trace could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && <Loaded api={api} id={id} one={found.value} />}
    </div>
  )
}

function Loaded({ api, id, one }: { api: TracesApi; id: string; one: OneTrace }) {
  const { trace, spans, scores, total, record } = one
  return (
    <>
      <Facts one={one} />
      {trace !== undefined && total <= WATERFALL_MAX && total > 0 && (
        <div className="panel">
          <Waterfall title="Stages" spans={stagesOf(spans)} />
        </div>
      )}
      {trace !== undefined && total > WATERFALL_MAX && (
        <SpanList
          total={total}
          first={spans}
          pageSpans={PAGE_SPANS}
          totalMs={trace.durationMs}
          load={(offset) => api.one(id, offset, PAGE_SPANS)}
        />
      )}
      {scores.length > 0 && (
        <section className="screen-part" aria-label="What was said of it">
          <h2 className="label">What was said of it</h2>
          <Table caption="What was said of it" rows={scores} keyOf={(_, at) => at} columns={SCORE_COLUMNS} />
        </section>
      )}
      {record['lineage'] !== undefined && <Lineage api={api} id={id} />}
    </>
  )
}

function Facts({ one }: { one: OneTrace }) {
  const nowMs = useNow()
  const { trace, total, spans } = one
  const facts = factsOf(one)
  const errors = [...new Set(spans.flatMap(({ error }) => (error === '' ? [] : [error])))]
  return (
    <>
      <TitleBlock label="Facts about the trace">
        <Cell name="Status">
          {trace?.status === 'error' ? <Tier tone="danger">error</Tier> : <Tier>{trace?.status ?? facts.outcome}</Tier>}
        </Cell>
        <Cell name="First token">{trace?.firstTokenMs !== undefined && formatMs(trace.firstTokenMs)}</Cell>
        <Cell name="Total">{trace !== undefined && formatMs(trace.durationMs)}</Cell>
        <Cell name="Tokens in">{trace !== undefined && formatCount(trace.inputTokens)}</Cell>
        <Cell name="Tokens out">{trace !== undefined && formatCount(trace.outputTokens)}</Cell>
        <Cell name="Cost">{trace !== undefined && formatNanoUsd(trace.costNanoUsd)}</Cell>
        <Cell name="Began" span={2}>
          {trace !== undefined && formatTime(trace.atMs, nowMs)}
        </Cell>
        <Cell name="Model" span={2}>
          {facts.model !== '' && <Name>{facts.model}</Name>}
        </Cell>
        <Cell name="Prompt" span={2}>
          {facts.prompt !== '' && (
            <Link href={`/prompts?${new URLSearchParams({ prompt: facts.prompt.split('@')[0] ?? '' })}`}>
              <Name>{facts.prompt}</Name>
            </Link>
          )}
        </Cell>
        <Cell name="User" span={2}>
          {trace !== undefined && trace.names.user !== '' && <Name>{trace.names.user}</Name>}
        </Cell>
        <Cell name="Service" span={2}>
          {trace !== undefined && <Name>{trace.names.service}</Name>}
        </Cell>
        <Cell name="Spans" span={2}>
          {formatCount(total)}
        </Cell>
        <Cell name="Guards" span={6}>
          {facts.guards}
        </Cell>
      </TitleBlock>
      {errors.slice(0, 3).map((error) => (
        <p key={error} className="trace-error">
          <bdi>{error}</bdi>
        </p>
      ))}
    </>
  )
}

const NOW_TONES: { readonly [now: string]: 'good' | 'caution' | 'danger' } = {
  unchanged: 'good',
  changed: 'caution',
  removed: 'danger',
}

function Lineage({ api, id }: { api: TracesApi; id: string }) {
  const [found, reload] = useLoad(id, () => api.lineage(id))
  return (
    <section className="screen-part" aria-label="Lineage">
      <h2 className="label">Where the answer comes from</h2>
      {found.state === 'loading' && <Progress label="Loading the lineage" />}
      {found.state === 'failed' && (
        <Failed title="The lineage could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.length === 0 && <p className="minor">No passage was given.</p>}
      {found.state === 'ready' && found.value.length > 0 && (
        <Table caption="Passages that were given" rows={found.value} keyOf={(_, at) => at} columns={PASSAGE_COLUMNS} />
      )}
    </section>
  )
}

const SCORE_COLUMNS: readonly Column<Score>[] = [
  { name: 'What', cell: ({ name }) => <Name>{name}</Name> },
  { name: 'Value', cell: ({ value }) => value ?? '–', figure: true },
  { name: 'Label', cell: ({ label }) => label || '–' },
  { name: 'Comment', cell: ({ comment }) => comment || '–' },
]

const PASSAGE_COLUMNS: readonly Column<Passage>[] = [
  { name: 'Document', cell: ({ uri }) => <Name>{uri}</Name> },
  { name: 'Since then', cell: ({ now }) => <Tier tone={NOW_TONES[now]}>{now}</Tier> },
]
