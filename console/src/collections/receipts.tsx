import type { CollectionsApi, Receipt } from '../api/collections.ts'
import { CopyText } from '../design/copy.tsx'
import { Icon } from '../design/icon.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Tier } from '../design/tier.tsx'
import { formatCount, formatTime } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { placeText } from './words.ts'

/** What became of documents that were deleted. */
export function Receipts({ api, name }: { api: CollectionsApi; name: string }) {
  const [found, reload] = useLoad(name, () => api.receipts(name))
  return (
    <section className="screen-part" aria-label="Deletion receipts">
      <h2 className="label">
        Deletion receipts{' '}
        {found.state === 'ready' && (
          <span className="figure">
            {formatCount(found.value.rows.length)}
            {!found.value.isComplete && '+'}
          </span>
        )}
      </h2>
      {found.state === 'loading' && <Progress label="Loading the receipts" />}
      {found.state === 'failed' && (
        <Failed title="The receipts could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.rows.length === 0 && (
        <p className="minor">No document was deleted by hand.</p>
      )}
      {found.state === 'ready' && found.value.rows.length > 0 && (
        <ul className="row-list">
          {found.value.rows.map((receipt) => (
            <ReceiptRow key={receipt.id} receipt={receipt} />
          ))}
        </ul>
      )}
    </section>
  )
}

function ReceiptRow({ receipt }: { receipt: Receipt }) {
  const nowMs = useNow()
  const { id, uri, document, requestedMs, isFinal, places, notErased } = receipt
  return (
    <li className="receipt">
      <div className="receipt-head">
        <Name>{uri === '' ? document : uri}</Name>
        <span className="minor figure">{requestedMs !== undefined && formatTime(requestedMs, nowMs)}</span>
        <Tier tone={isFinal ? 'good' : 'caution'}>{isFinal ? 'gone everywhere' : 'not all gone yet'}</Tier>
      </div>
      <ul className="receipt-places">
        {places.map(({ place, goneMs }) => (
          <li
            key={place}
            data-gone={goneMs !== undefined || undefined}
            title={goneMs === undefined ? '' : `since ${formatTime(goneMs, nowMs)}`}
          >
            <Icon name={goneMs === undefined ? 'warn' : 'done'} />
            {placeText(place)}
            <span className="unseen">{goneMs === undefined ? ': not gone yet' : ': gone'}</span>
          </li>
        ))}
      </ul>
      <details>
        <summary>What could not be erased ({formatCount(notErased.length)})</summary>
        <dl className="receipt-left">
          {notErased.map(({ where, why }) => (
            <div key={where}>
              <dt>{placeText(where)}</dt>
              <dd>{why}</dd>
            </div>
          ))}
        </dl>
      </details>
      <span className="receipt-id minor">
        <code>{id}</code>
        <CopyText text={id} what="the receipt's id" />
      </span>
    </li>
  )
}
