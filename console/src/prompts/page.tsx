import { useEffect, useMemo, useState } from 'react'
import { openPrompts, type Prompt, type PromptsApi } from '../api/prompts.ts'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Search } from '../design/search.tsx'
import { Command, EmptyState } from '../design/state.tsx'
import { Table, type Column } from '../design/table.tsx'
import { formatCount } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { usePlace } from '../shell/route.ts'
import { addressOf, shownAt } from './address.ts'
import { LabelChips } from './labels.tsx'
import { OnePrompt } from './one.tsx'
import './prompts.css'

const PAGE = 100

export default function PromptsPage() {
  const { send } = useAccess()
  const shown = shownAt(usePlace().query)
  const api = useMemo(() => openPrompts(send), [send])
  const { prompt } = shown
  useEffect(() => {
    document.title = `${prompt ?? 'Prompts'} · Headworks`
  }, [prompt])
  return prompt === undefined ? (
    <AllPrompts api={api} />
  ) : (
    <OnePrompt key={prompt} api={api} shown={{ ...shown, prompt }} />
  )
}

function AllPrompts({ api }: { api: PromptsApi }) {
  const [found, reload] = useLoad('prompts', () => api.list())
  const [wanted, setWanted] = useState('')
  const prompts = found.state === 'ready' ? found.value : []
  const fits = prompts.filter(({ name }) => name.includes(wanted.toLowerCase()))
  return (
    <div className="screen">
      <header className="screen-head">
        <h1>Prompts</h1>
        {prompts.length > 5 && <Search label="Find a prompt" value={wanted} onChange={setWanted} />}
      </header>
      {found.state === 'loading' && <Progress label="Loading the prompts" />}
      {found.state === 'failed' && (
        <Failed title="The prompts could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && prompts.length === 0 && <NoPrompts />}
      {prompts.length > 0 && fits.length === 0 && <p className="minor">No prompt has “{wanted}” in its name.</p>}
      {fits.length > 0 && <List prompts={fits.slice(0, PAGE)} />}
      {fits.length > PAGE && (
        <p className="minor">
          {formatCount(PAGE)} of {formatCount(fits.length)}: find the others by name.
        </p>
      )}
    </div>
  )
}

const List = ({ prompts }: { prompts: readonly Prompt[] }) => (
  <Table caption="Prompts" rows={prompts} keyOf={({ name }) => name} columns={PROMPT_COLUMNS} />
)

const NoPrompts = () => (
  <EmptyState title="No prompts yet">
    <p>
      A prompt is a text with places for variables, kept in versions that never change. Requests name it, and cost and
      latency are then those of a version. Write one into a folder beside <code>headworks.yaml</code>, named there as{' '}
      <code>{'prompts: { folder: ./prompts }'}</code>:
    </p>
    <Command>{"mkdir -p prompts && echo 'You help customers of {{company}}.' > prompts/support.md"}</Command>
  </EmptyState>
)

const PROMPT_COLUMNS: readonly Column<Prompt>[] = [
  {
    name: 'Prompt',
    cell: ({ name }) => (
      <Link className="prompt-link" href={addressOf({ ...shownAt(new URLSearchParams()), prompt: name })}>
        <Name>{name}</Name>
      </Link>
    ),
  },
  { name: 'Versions', cell: ({ versions }) => formatCount(versions), figure: true },
  { name: 'Labels', cell: ({ labels }) => <LabelChips labels={labels} /> },
]
