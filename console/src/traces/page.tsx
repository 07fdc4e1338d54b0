import { useEffect, useMemo } from 'react'
import type { Result } from '../api/problem.ts'
import { openTraces, type Trace, type TracesApi } from '../api/traces.ts'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Segments } from '../design/segments.tsx'
import { EmptyState, Notice } from '../design/state.tsx'
import { formatCount } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { usePlace, useRouter } from '../shell/route.ts'
import { addressOf, filterOf, type Shown, shownAt, SPANS } from './address.ts'
import { Differences } from './differences.tsx'
import { isIn } from './density.ts'
import { Filters } from './filters.tsx'
import { HeatMap } from './heatmap.tsx'
import { OneTracePage } from './one.tsx'
import { TraceTable } from './table.tsx'
import './traces.css'

/** Of one drawing: what is older is said to be left out. */
const PAGES_MAX = 10
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

export default function TracesPage() {
  const { send } = useAccess()
  const shown = shownAt(usePlace().query)
  const api = useMemo(() => openTraces(send), [send])
  useEffect(() => {
    document.title = 'Traces · Headworks'
  }, [])
  return shown.trace === undefined ? (
    <AllTraces api={api} shown={shown} />
  ) : (
    <OneTracePage key={shown.trace} api={api} id={shown.trace} back={addressOf({ ...shown, trace: undefined })} />
  )
}

function AllTraces({ api, shown }: { api: TracesApi; shown: Shown }) {
  const router = useRouter()
  const minuteMs = Math.ceil(useNow() / MINUTE_MS) * MINUTE_MS
  const show = (change: Partial<Shown>) => router.go(addressOf({ ...shown, ...change }))
  const filters = JSON.stringify({ ...shown, brush: undefined })
  // A brush stands still: what comes meanwhile would move from beneath it.
  const [found, reload] = useLoad(shown.brush === undefined ? `${filters} ${minuteMs}` : filters, () =>
    newest(api, shown, minuteMs),
  )
  return (
    <div className="screen traces">
      <header className="screen-head">
        <h1>Traces</h1>
        <Segments
          label="Span"
          value={String(shown.hours)}
          onChange={(hours) => show({ hours: SPANS.find((one) => String(one) === hours) ?? 24, brush: undefined })}
          options={SPANS.map((hours) => ({
            value: String(hours),
            name: hours <= 24 ? `${hours} h` : `${hours / 24} d`,
          }))}
        />
      </header>
      <Filters key={addressOf(shown)} shown={shown} onShow={(change) => show({ brush: undefined, ...change })} />
      {found.state === 'loading' && <Progress label="Loading the traces" />}
      {found.state === 'failed' && (
        <Failed title="The traces could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.traces.length === 0 && <NoTraces shown={shown} />}
      {found.state === 'ready' && found.value.traces.length > 0 && (
        <div className="traces-found" data-stale={found.isStale || undefined}>
          <Found shown={shown} {...found.value} onShow={show} />
        </div>
      )}
    </div>
  )
}

interface Newest {
  readonly traces: readonly Trace[]
  readonly isComplete: boolean
  readonly fromMs: number
  readonly toMs: number
}

/** The newest of those asked for, page by page. */
async function newest(api: TracesApi, shown: Shown, nowMs: number): Promise<Result<Newest>> {
  const traces: Trace[] = []
  let before: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const found = await api.list(filterOf(shown, nowMs), before)
    if (!found.ok) return found
    traces.push(...found.value.traces)
    before = found.value.next
    if (before === undefined) break
  }
  const fromMs = nowMs - shown.hours * HOUR_MS
  return { ok: true, value: { traces, isComplete: before === undefined, fromMs, toMs: nowMs } }
}

interface FoundProps extends Newest {
  readonly shown: Shown
  readonly onShow: (change: Partial<Shown>) => void
}

function Found({ shown, traces, isComplete, fromMs, toMs, onShow }: FoundProps) {
  const { brush } = shown
  const inside = brush === undefined ? traces : traces.filter((trace) => isIn(brush, trace))
  const outside = brush === undefined ? [] : traces.filter((trace) => !isIn(brush, trace))
  // What was drawn of too many begins where it begins: an empty half would say that there was nothing.
  const startMs = isComplete ? fromMs : Math.min(...traces.map(({ atMs }) => atMs))
  return (
    <>
      {!isComplete && (
        <Notice tone="caution" title="Not all of them.">
          These are the newest {formatCount(traces.length)}; older ones are found by narrowing down what is asked for.
        </Notice>
      )}
      <HeatMap traces={traces} fromMs={startMs} toMs={toMs} brush={brush} onBrush={(area) => onShow({ brush: area })} />
      {brush !== undefined && <Differences inside={inside} outside={outside} />}
      <TraceTable traces={inside} addressOfTrace={(id) => addressOf({ ...shown, trace: id })} />
    </>
  )
}

function NoTraces({ shown }: { shown: Shown }) {
  const isFiltered = addressOf({ ...shown, brush: undefined, hours: 24 }) !== '/traces'
  return (
    <EmptyState title={isFiltered ? 'No trace fits' : 'No traces here yet'}>
      {isFiltered ? (
        <p>
          Nothing of the last {shown.hours} h fits all filters. <Link href="/traces">Show all of the last day</Link>.
        </p>
      ) : (
        <p>
          Every request becomes one: <Link href="/">ask a question</Link>. Traces of your own programs come over
          OpenTelemetry: point <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> here.
        </p>
      )}
    </EmptyState>
  )
}
