import { openAlerts } from '../api/alerts.ts'
import { addressOf, titleOf } from '../alerts/words.ts'
import { Progress } from '../design/progress.tsx'
import { formatCount, formatRelative } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'

const SHOWN_MAX = 5

/** What somebody should look at. */
export function HomeAlerts() {
  const { send } = useAccess()
  const nowMs = useNow()
  const [found, reload] = useLoad('open alerts', () => openAlerts(send).open())
  const alerts = found.state === 'ready' ? found.value.alerts : []
  return (
    <section className="screen-part" aria-label="Open alerts">
      <header className="screen-part-head">
        <h2 className="label">
          Open alerts <span className="figure">{found.state === 'ready' && countText(found.value)}</span>
        </h2>
      </header>
      {found.state === 'loading' && <Progress label="Loading the alerts" />}
      {found.state === 'failed' && (
        <Failed title="The alerts could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && alerts.length === 0 && <p className="minor">None: nothing needs a look.</p>}
      {alerts.length > 0 && (
        <ul className="row-list">
          {alerts.slice(0, SHOWN_MAX).map((alert) => {
            const address = addressOf(alert)
            return (
              <li key={alert.id} className="home-row">
                {address === undefined ? <span>{titleOf(alert)}</span> : <Link href={address}>{titleOf(alert)}</Link>}
                <span className="minor">
                  {formatRelative(alert.changedMs, nowMs)}
                  {alert.seenBy !== undefined && ` · seen by ${alert.seenBy}`}
                </span>
              </li>
            )
          })}
        </ul>
      )}
      {alerts.length > SHOWN_MAX && <p className="minor">The bell has all of them, with their evidence.</p>}
    </section>
  )
}

const countText = ({ alerts, hasMore }: { alerts: readonly unknown[]; hasMore: boolean }): string =>
  `${formatCount(alerts.length)}${hasMore ? '+' : ''}`
