import { useEffect, useState } from 'react'
import { latencyOf } from '../api/telemetry.ts'
import { openUsage, type UsageRow } from '../api/usage.ts'
import { Progress } from '../design/progress.tsx'
import { Ranges } from '../design/ranges.tsx'
import '../design/screen.css'
import { Segments } from '../design/segments.tsx'
import { Spread } from '../design/spread.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount, formatMs, formatNanoUsd, formatShare } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { HomeAlerts } from './alerts.tsx'
import { HomeBudgets } from './budgets.tsx'
import { HomeCollections } from './collections.tsx'
import { HOURS, hoursOf, spanOf, sumsOf } from './hours.ts'
import './home.css'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** How the house fares, at one look, and the way to what does not fare well. */
export default function HomePage() {
  useEffect(() => {
    document.title = 'Home · Headworks'
  }, [])
  return (
    <div className="screen home">
      <header className="screen-head">
        <h1>Home</h1>
        <Link className="button" data-kind="primary" href="/">
          Ask a question
        </Link>
      </header>
      <LastDay />
      <div className="home-parts">
        <HomeBudgets />
        <HomeAlerts />
        <HomeCollections />
      </div>
    </div>
  )
}

function LastDay() {
  const { send } = useAccess()
  const nowMs = useNow()
  const span = spanOf(nowMs)
  // Asked anew each minute, and what was is shown until then.
  const [found, reload] = useLoad(`${span.from} ${Math.floor(nowMs / MINUTE_MS)}`, () =>
    openUsage(send).report({ ...span, by: ['hour'], where: [] }),
  )
  return (
    <section className="screen-part" aria-label="The last day">
      <h2 className="label">The last {HOURS} hours</h2>
      {found.state === 'loading' && <Progress label="Loading the last day" />}
      {found.state === 'failed' && (
        <Failed title="The last day could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && (
        <>
          <Figures rows={found.value.rows} nowMs={nowMs} />
          <Hours rows={found.value.rows} nowMs={nowMs} />
        </>
      )}
    </section>
  )
}

interface RowsProps {
  readonly rows: readonly UsageRow[]
  readonly nowMs: number
}

function Figures({ rows, nowMs }: RowsProps) {
  const { send } = useAccess()
  // Up, so that what ended just now counts.
  const minuteMs = Math.ceil(nowMs / MINUTE_MS) * MINUTE_MS
  const [latency] = useLoad(`latency ${minuteMs}`, () => latencyOf(send, minuteMs - HOURS * HOUR_MS, minuteMs))
  const { requests, failed, refused, costNanoUsd, unpriced } = sumsOf(rows, nowMs)
  return (
    <TitleBlock label="The last day in figures">
      <Cell name="Requests">
        <Link href="/usage?days=7&measure=requests">{formatCount(requests)}</Link>
      </Cell>
      <Cell name="Failed">
        <Link href="/traces?status=error">{formatCount(failed)}</Link>
        {requests > 0 && (
          <span className="minor">
            of {formatCount(requests)}, {formatShare(failed / requests)}
          </span>
        )}
      </Cell>
      <Cell name="Refused" title="For want of budget, or too fast: these are no requests">
        {formatCount(refused)}
      </Cell>
      <Cell name="Cost" span={3}>
        <Link href="/usage?days=7">{formatNanoUsd(costNanoUsd)}</Link>
        {unpriced > 0 && <span className="minor">and {formatCount(unpriced)} requests without a price</span>}
      </Cell>
      <Cell name="Total" span={3}>
        {latency.state === 'ready' && <Spread of={latency.value.totalMs} format={formatMs} />}
      </Cell>
      <Cell name="First token" span={3}>
        {latency.state === 'ready' && <Spread of={latency.value.firstTokenMs} format={formatMs} />}
      </Cell>
    </TitleBlock>
  )
}

const MEASURES = [
  { value: 'totalMs', name: 'total' },
  { value: 'firstTokenMs', name: 'first token' },
] as const

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })

function Hours({ rows, nowMs }: RowsProps) {
  const [measure, setMeasure] = useState<(typeof MEASURES)[number]['value']>('totalMs')
  const hours = hoursOf(rows, nowMs)
  return (
    <div className="panel">
      <header className="screen-part-head">
        <h3>
          Latency by hour <span className="minor">bars from p50 to p95, lines on to p99</span>
        </h3>
        <Segments label="Time" value={measure} onChange={setMeasure} options={MEASURES} />
      </header>
      {hours.every((hour) => hour[measure].n === 0) ? (
        <p className="minor">
          Nothing was measured in the last {HOURS} hours. <Link href="/">Ask a question</Link>, and it stands here.
        </p>
      ) : (
        <Ranges
          label={measure === 'totalMs' ? 'Total time by hour' : 'Time to the first token by hour'}
          format={formatMs}
          ranges={hours.map((hour) => ({
            name: clock.format(hour.atMs),
            short: clock.format(hour.atMs),
            ...hour[measure],
          }))}
        />
      )}
    </div>
  )
}
