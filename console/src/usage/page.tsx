import { useEffect, useMemo, type ComponentProps } from 'react'
import { DIMENSIONS, openUsage, usageFile, type Dimension, type UsageQuery, type UsageRow } from '../api/usage.ts'
import { Bars } from '../design/bars.tsx'
import { REST, partOf, partsOf, type Part } from '../design/icicle.ts'
import { Icicle, SHARE_MIN } from '../design/icicle.tsx'
import { Icon } from '../design/icon.tsx'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Segments } from '../design/segments.tsx'
import { Command, EmptyState, Notice } from '../design/state.tsx'
import { formatCount } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useKeyNames } from '../shell/key-names.ts'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { usePlace, useRouter } from '../shell/route.ts'
import { addressOf, daysOf, MEASURES, type Shown, shownAt, spanOf, SPANS, withLevel } from './address.ts'
import { Summary } from './summary.tsx'
import { UsageTable } from './table.tsx'
import { amountText, nobodyText, valueOf } from './words.ts'
import './usage.css'

/** What was used, level by level, in figures and day by day. */
export default function UsagePage() {
  const { send } = useAccess()
  const place = usePlace()
  const router = useRouter()
  const shown = shownAt(place.query)
  const api = useMemo(() => openUsage(send), [send])
  const span = spanOf(shown.days, useNow())
  const query: UsageQuery = { ...span, by: shown.levels, where: [] }
  const [found, reload] = useLoad(JSON.stringify(query), () => api.report(query))
  const nameOfKey = useKeyNames()
  useEffect(() => {
    document.title = 'Usage · Headworks'
  }, [])
  const show = (change: Partial<Shown>) => router.go(addressOf({ ...shown, into: [], ...change }))
  return (
    <div className="screen usage">
      <header className="screen-head">
        <h1>Usage</h1>
        <Segments
          label="Span"
          value={String(shown.days)}
          onChange={(days) => show({ days: Number(days), into: shown.into })}
          options={SPANS.map((days) => ({ value: String(days), name: days === 1 ? 'today' : `${days} d` }))}
        />
        <Segments
          label="Measure"
          value={shown.measure}
          onChange={(measure) => show({ measure, into: shown.into })}
          options={MEASURES.map((measure) => ({ value: measure, name: measure }))}
        />
      </header>
      {found.state === 'loading' && <Progress label="Loading the usage" />}
      {found.state === 'failed' && (
        <Failed title="The usage could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.rows.length === 0 && <NoUsage days={shown.days} />}
      {found.state === 'ready' && found.value.rows.length > 0 && (
        <div className="usage-found" data-stale={found.isStale || undefined}>
          {!found.value.isComplete && (
            <Notice tone="caution" title="Not all of it.">
              There are more combinations than fit; the drawing shows the {formatCount(found.value.rows.length)} with
              the highest cost. The figures below are complete.
            </Notice>
          )}
          <Report
            shown={shown}
            rows={found.value.rows}
            nameOf={(level, name) => nameIn(shown.levels[level] ?? 'model', name, nameOfKey)}
            onShow={show}
          />
        </div>
      )}
    </div>
  )
}

interface ReportProps {
  readonly shown: Shown
  readonly rows: readonly UsageRow[]
  readonly nameOf: (level: number, name: string) => string
  readonly onShow: (change: Partial<Shown>) => void
}

function Report({ shown, rows, nameOf, onShow }: ReportProps) {
  const { levels, measure } = shown
  const whole = useMemo(
    () =>
      partsOf(
        rows.map((row) => ({ names: levels.map((level) => row.at[level] ?? ''), value: valueOf(row, measure) })),
        levels.length,
      ),
    [rows, levels, measure],
  )
  const part = partOf(whole, shown.into, SHARE_MIN)
  // What was gone into may be gone itself, with another span.
  const into = part === undefined ? [] : shown.into
  const depth = into.filter((name) => name !== REST).length
  const place: Place = { shown, into, depth, part: part ?? whole, ...boundsOf(whole, into) }
  const unpriced = rows.reduce((sum, row) => sum + row.unpriced, 0)
  return (
    <>
      <div className="usage-where">
        <Trail into={into} nameOf={nameOf} onGo={(names) => onShow({ into: names })} />
        <Levels levels={levels} onChange={(changed) => onShow({ levels: changed })} />
      </div>
      {levels.includes('tag') && (
        <Notice title="Tags overlap.">
          A request counts under each of its tags: parts may add up to more than the whole.
        </Notice>
      )}
      {measure === 'cost' && unpriced > 0 && (
        <Notice tone="caution" title={`${formatCount(unpriced)} requests have no price.`}>
          What they cost is unknown, and not in the drawing. Import or set prices with <code>npx headworks prices</code>
          .
        </Notice>
      )}
      <Detail place={place} nameOf={nameOf} onShow={onShow} />
    </>
  )
}

/** Where in the drawing one is. */
interface Place {
  readonly shown: Shown
  readonly into: readonly string[]
  /** Levels gone down. */
  readonly depth: number
  readonly part: Part
  /** Filters that say the same. */
  readonly names: readonly string[]
  /** Where one is among several of the rest: only these. */
  readonly only: ReadonlySet<string> | undefined
}

function boundsOf(whole: Part, into: readonly string[]): Pick<Place, 'names' | 'only'> {
  const names = into.filter((name) => name !== REST)
  if (into.at(-1) !== REST) return { names, only: undefined }
  const part = partOf(whole, into, SHARE_MIN)
  return { names, only: new Set(part?.children.map(({ name }) => name)) }
}

function Detail({ place, nameOf, onShow }: { place: Place } & Pick<ReportProps, 'nameOf' | 'onShow'>) {
  const { shown, into, depth, part, names, only } = place
  const { levels, measure, days } = shown
  const span = spanOf(days, useNow())
  const where = names.flatMap((name, at): [Dimension, string][] => {
    const dimension = levels[at]
    return dimension === undefined ? [] : [[dimension, name]]
  })
  const goInto = (more: readonly string[]) => onShow({ into: [...into, ...more] })
  return (
    <>
      {only !== undefined && (
        <Notice title="These others together.">
          The figures in all and by day are of everything beside them too; the drawing and the table are of these alone.
        </Notice>
      )}
      <InAll query={{ ...span, by: [], where }} />
      <div className="usage-both">
        <section className="screen-part" aria-label="Parts">
          {part.value > 0 ? (
            <Icicle
              label={`What makes up the ${measure}`}
              whole={part}
              levels={levels.slice(depth)}
              nameOf={(at, name) => nameOf(at + depth, name)}
              amountOf={(value) => amountText(value, measure)}
              onOpen={goInto}
              onLeave={into.length === 0 ? undefined : () => onShow({ into: into.slice(0, -1) })}
            />
          ) : (
            <p className="usage-nothing minor">
              {measure === 'cost'
                ? 'Nothing here has a cost: the models are free, or their price is unknown.'
                : `No ${measure} here.`}
            </p>
          )}
        </section>
        <ByLevel
          level={levels[depth] ?? 'model'}
          measure={measure}
          query={{ ...span, by: [levels[depth] ?? 'model'], where }}
          only={only}
          nameOf={(name) => nameOf(depth, name)}
          onOpen={depth < levels.length - 1 ? (name) => goInto([name]) : undefined}
        />
      </div>
      <ByDay query={{ ...span, by: ['day'], where }} measure={measure} />
    </>
  )
}

function useReport(query: UsageQuery) {
  const { send } = useAccess()
  return useLoad(JSON.stringify(query), () => openUsage(send).report(query))
}

function InAll({ query }: { query: UsageQuery }) {
  const [all] = useReport(query)
  const row = all.state === 'ready' ? all.value.rows[0] : undefined
  return row === undefined ? null : <Summary row={row} />
}

interface ByLevelProps extends Omit<ComponentProps<typeof UsageTable>, 'rows'> {
  readonly query: UsageQuery
  /** Names of the rows that are meant; undefined: all. */
  readonly only: ReadonlySet<string> | undefined
}

function ByLevel({ query, only, ...rest }: ByLevelProps) {
  const { level } = rest
  const [found, retry] = useReport(query)
  return (
    <section className="screen-part" aria-label={`By ${level}`}>
      <header className="screen-part-head">
        <h2 className="label">By {level}</h2>
        <span className="usage-files">
          <a href={usageFile(query, 'csv')} download>
            <Icon name="save" /> CSV
          </a>
          <a href={usageFile(query, 'parquet')} download>
            <Icon name="save" /> Parquet
          </a>
        </span>
      </header>
      {found.state === 'loading' && <Progress label="Loading the table" />}
      {found.state === 'failed' && (
        <Failed title="The table could not be read" problem={found.problem} onRetry={retry} />
      )}
      {found.state === 'ready' && (
        <UsageTable
          {...rest}
          rows={found.value.rows.filter((row) => only === undefined || only.has(row.at[level] ?? ''))}
        />
      )}
    </section>
  )
}

function ByDay({ query, measure }: { query: UsageQuery } & Pick<Shown, 'measure'>) {
  const [found, retry] = useReport(query)
  return (
    <section className="screen-part" aria-label="By day">
      <h2 className="label">By day (UTC)</h2>
      {found.state === 'loading' && <Progress label="Loading the days" />}
      {found.state === 'failed' && (
        <Failed title="The days could not be read" problem={found.problem} onRetry={retry} />
      )}
      {found.state === 'ready' && <Days days={daysOf(query)} rows={found.value.rows} measure={measure} />}
    </section>
  )
}

function Days({
  days,
  rows,
  measure,
}: Pick<Shown, 'measure'> & { days: readonly string[]; rows: readonly UsageRow[] }) {
  const byDay = new Map(rows.map((row) => [row.at['day'] ?? '', row]))
  const bars = days.map((day) => {
    const row = byDay.get(day)
    const unpriced = row?.unpriced ?? 0
    const remark =
      measure === 'cost' && unpriced > 0 ? `and ${formatCount(unpriced)} requests of unknown cost` : undefined
    return { name: day, short: day.slice(5), value: row === undefined ? 0 : valueOf(row, measure), remark }
  })
  return (
    <>
      <Bars label={`${measure} by day`} bars={bars} format={(value) => amountText(value, measure)} />
    </>
  )
}

/** The way down to here, and back. */
function Trail({
  into,
  nameOf,
  onGo,
}: {
  into: readonly string[]
  nameOf: ReportProps['nameOf']
  onGo: (names: readonly string[]) => void
}) {
  return (
    <nav className="usage-trail" aria-label="Parts gone into">
      <ol>
        {['', ...into].map((name, at) => (
          <li key={at}>
            <button
              type="button"
              disabled={at === into.length}
              aria-current={at === into.length || undefined}
              onClick={() => onGo(into.slice(0, at))}
            >
              <bdi>
                {at === 0
                  ? 'Everything'
                  : name === REST
                    ? 'others'
                    : nameOf(into.slice(0, at - 1).filter((one) => one !== REST).length, name)}
              </bdi>
            </button>
          </li>
        ))}
      </ol>
    </nav>
  )
}

/** Which levels there are, in which order. */
function Levels({
  levels,
  onChange,
}: {
  levels: readonly Dimension[]
  onChange: (levels: readonly Dimension[]) => void
}) {
  return (
    <fieldset className="usage-levels">
      <legend className="unseen">Levels</legend>
      {levels.map((level, at) => (
        <select
          key={at}
          className="select"
          data-framed
          aria-label={`Level ${at + 1}`}
          value={level}
          onChange={(event) => {
            const to = DIMENSIONS.find((one) => one === event.target.value)
            if (to !== undefined) onChange(withLevel(levels, at, to))
          }}
        >
          {DIMENSIONS.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      ))}
    </fieldset>
  )
}

function NoUsage({ days }: { days: number }) {
  return (
    <EmptyState title={days === 1 ? 'No request today yet' : `No request in ${days} days`}>
      <p>
        Every request is counted once it has ended, by key, user, team, prompt and model.{' '}
        <Link href="/">Ask a question</Link>, or send one:
      </p>
      <Command>npx headworks ask &quot;What is a budget?&quot;</Command>
    </EmptyState>
  )
}

function nameIn(dimension: Dimension, name: string, nameOfKey: (id: string) => string): string {
  if (name === '') return nobodyText(dimension)
  return dimension === 'key' ? nameOfKey(name) : name
}
