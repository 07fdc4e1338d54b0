import { useLayoutEffect, useRef, useState, type ReactNode } from 'react'
import { Bell } from '../alerts/bell.tsx'
import type { Session } from '../api/house.ts'
import { Button } from '../design/button.tsx'
import { Icon, type IconName } from '../design/icon.tsx'
import { Brand } from './brand.tsx'
import { useKeys } from './keys.ts'
import { Link } from './link.tsx'
import { usePlace } from './route.ts'
import { Shortcuts } from './shortcuts.tsx'
import { ThemeChoice } from './theme.tsx'
import './shell.css'

/** The screens there are. `paths`: the first is where the link leads. `isAdmin`: for administrators. */
const SCREENS: readonly {
  readonly name: string
  readonly icon: IconName
  readonly paths: readonly [string, ...string[]]
  readonly isAdmin?: true
}[] = [
  { name: 'Ask', icon: 'ask', paths: ['/', '/ask'] },
  { name: 'Home', icon: 'home', paths: ['/home'], isAdmin: true },
  { name: 'Collections', icon: 'collection', paths: ['/collections'], isAdmin: true },
  { name: 'Search', icon: 'search', paths: ['/search'], isAdmin: true },
  { name: 'Ingests', icon: 'ingest', paths: ['/ingests'], isAdmin: true },
  { name: 'Budgets', icon: 'budget', paths: ['/budgets'], isAdmin: true },
  { name: 'Usage', icon: 'usage', paths: ['/usage'], isAdmin: true },
  { name: 'Traces', icon: 'trace', paths: ['/traces'], isAdmin: true },
  { name: 'Prompts', icon: 'prompt', paths: ['/prompts'], isAdmin: true },
  { name: 'Keys', icon: 'key', paths: ['/keys'], isAdmin: true },
  { name: 'Record', icon: 'record', paths: ['/record'], isAdmin: true },
]

interface Props {
  readonly session: Session
  readonly onSignOut: () => void
  /** What the screen puts into the rail, under the navigation. */
  readonly extra?: ReactNode
  readonly children: ReactNode
}

export function Shell({ session, onSignOut, extra, children }: Props) {
  const { path } = usePlace()
  const [isHelpOpen, setHelpOpen] = useState(false)
  useKeys({ '?': () => setHelpOpen(true) })
  const screens = useRef<HTMLUListElement>(null)
  const shown = SCREENS.filter(({ isAdmin }) => isAdmin !== true || session.role === 'admin')
  const screenAt = shown.findIndex(({ paths }) => paths.includes(path))
  // On a narrow page not all of them are in sight.
  useLayoutEffect(() => {
    screens.current?.children[screenAt]?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [screenAt])
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <div className="rail">
        <header className="rail-head">
          <Brand />
          <nav aria-label="Screens">
            <ul ref={screens} className="rail-screens">
              {shown.map((screen, at) => (
                <li key={screen.name}>
                  <Link
                    className="rail-link"
                    href={screen.paths[0]}
                    aria-current={at === screenAt ? 'page' : undefined}
                  >
                    <Icon name={screen.icon} />
                    {screen.name}
                  </Link>
                </li>
              ))}
            </ul>
          </nav>
        </header>
        <div className="rail-extra">{extra}</div>
        <footer className="rail-foot">
          <div className="rail-tools">
            <ThemeChoice />
            <span className="rail-buttons">
              {session.role === 'admin' && <Bell />}
              <Button
                kind="quiet"
                icon="keys"
                aria-label="Keyboard shortcuts"
                title="Keyboard shortcuts (?)"
                onClick={() => setHelpOpen(true)}
              />
            </span>
          </div>
          <div className="rail-who">
            <span>
              <span className="rail-name">{session.name}</span>
              <span className="rail-role">{session.role}</span>
            </span>
            <Button kind="quiet" icon="leave" aria-label="Sign out" title="Sign out" onClick={onSignOut} />
          </div>
        </footer>
      </div>
      <main id="main" className="page" tabIndex={-1}>
        {children}
      </main>
      {isHelpOpen && <Shortcuts onClose={() => setHelpOpen(false)} />}
    </div>
  )
}
