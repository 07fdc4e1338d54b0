import { useMemo, useState } from 'react'
import type { PromptsApi, Version, Versions } from '../api/prompts.ts'
import { openUsage, type UsageRow } from '../api/usage.ts'
import { Button } from '../design/button.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Segments } from '../design/segments.tsx'
import type { Problem } from '../api/problem.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { useRouter } from '../shell/route.ts'
import { addressOf, type Shown, SPANS } from './address.ts'
import { Comparison } from './comparison.tsx'
import { LabelList } from './labels.tsx'
import { VersionTable } from './versions.tsx'

const DAY_MS = 86_400_000

interface Props {
  readonly api: PromptsApi
  readonly shown: Shown & { readonly prompt: string }
}

export function OnePrompt({ api, shown }: Props) {
  const { prompt } = shown
  const [found, reload] = useLoad(prompt, () => api.versions(prompt))
  return (
    <div className="screen prompt">
      <header className="screen-head">
        <h1>
          <Link href="/prompts">Prompts</Link> <span aria-hidden="true">/</span> <Name>{prompt}</Name>
        </h1>
      </header>
      {found.state === 'loading' && <Progress label="Loading the prompt" />}
      {found.state === 'failed' && (
        <Failed title="The prompt could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && <Loaded api={api} shown={shown} first={found.value} onChange={reload} />}
    </div>
  )
}

function Loaded({ api, shown, first, onChange }: Props & { first: Versions; onChange: () => void }) {
  const router = useRouter()
  const { prompt, days } = shown
  const [older, setOlder] = useState<Pick<Versions, 'versions' | 'next'>>({ versions: [], next: first.next })
  const [problem, setProblem] = useState<Problem>()
  // The first page may have moved on since the others were read.
  const versions = [...new Map([...first.versions, ...older.versions].map((one) => [one.version, one])).values()]
  const used = useUsed(prompt, days)
  const show = (change: Partial<Shown>) => router.go(addressOf({ ...shown, ...change }))
  const loadMore = async () => {
    const page = await api.versions(prompt, older.next)
    if (!page.ok) return setProblem(page.problem)
    setProblem(undefined)
    setOlder({ versions: [...older.versions, ...page.value.versions], next: page.value.next })
  }
  return (
    <>
      <LabelList
        api={api}
        prompt={prompt}
        labels={first.labels}
        versions={versions.map(({ version }) => version)}
        onChange={onChange}
      />
      <section className="screen-part" aria-label="Versions">
        <header className="screen-part-head">
          <h2 className="label">Versions</h2>
          <Segments
            label="Used in the last"
            value={String(days)}
            onChange={(value) => show({ days: Number(value) })}
            options={SPANS.map((span) => ({ value: String(span), name: `${span} d` }))}
          />
        </header>
        <VersionTable versions={versions} labels={first.labels} used={used} shown={shown} />
        {problem !== undefined && (
          <Failed title="No more could be read" problem={problem} onRetry={() => void loadMore()} />
        )}
        {older.next !== undefined && (
          <div>
            <Button onClick={() => void loadMore()}>Show older</Button>
          </div>
        )}
      </section>
      <Comparison api={api} shown={shown} versions={versions} onShow={show} />
    </>
  )
}

/** What was used of each version; empty until it is known, or where it cannot be had. */
function useUsed(prompt: string, days: number): ReadonlyMap<Version['version'], UsageRow> {
  const { send } = useAccess()
  const toDay = dayOf(useNow())
  const [from, to] = [dayOf(Date.parse(toDay) - (days - 1) * DAY_MS), toDay]
  const [found] = useLoad(`${prompt} ${from} ${to}`, () =>
    openUsage(send).report({ from, to, by: ['prompt'], where: [] }),
  )
  return useMemo(() => {
    const rows = found.state === 'ready' ? found.value.rows : []
    return new Map(
      rows.flatMap((row) => {
        const [name, version] = (row.at['prompt'] ?? '').split('@')
        return name === prompt && version !== undefined ? [[Number(version), row] as const] : []
      }),
    )
  }, [found, prompt])
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)
