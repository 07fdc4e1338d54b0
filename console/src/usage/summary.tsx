import { INPUT_BUCKETS, type UsageRow } from '../api/usage.ts'
import { Spread } from '../design/spread.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount, formatMs, formatNanoUsd } from '../design/units.ts'
import { costText, tokensOf } from './words.ts'

/** What all of it comes to. */
export function Summary({ row }: { row: UsageRow }) {
  const input = INPUT_BUCKETS.reduce((sum, bucket) => sum + row.tokens[bucket], 0)
  return (
    <TitleBlock label="In all">
      <Cell name="Requests">{formatCount(row.requests)}</Cell>
      <Cell name="Failed">{formatCount(row.failed)}</Cell>
      <Cell name="Refused" title="For want of budget, or too fast: these are no requests">
        {formatCount(row.refused)}
      </Cell>
      <Cell name="Tokens in">{formatCount(input)}</Cell>
      <Cell name="Tokens out">{formatCount(tokensOf(row) - input)}</Cell>
      <Cell name="Cost">{costText(row)}</Cell>
      <Cell name="Cost of a request" span={2}>
        <Spread of={row.costPerRequest} format={formatNanoUsd} />
      </Cell>
      <Cell name="Tokens of a request" span={2}>
        <Spread of={row.tokensPerRequest} format={(tokens) => formatCount(Math.round(tokens))} />
      </Cell>
      <Cell name="Time of a request" span={2}>
        <Spread of={row.totalMs} format={formatMs} />
      </Cell>
    </TitleBlock>
  )
}
