import { createRoot } from 'react-dom/client'
import './design/tokens.css'
import './design/base.css'
import { ask } from './api/chat.ts'
import { openHouse } from './api/house.ts'
import { App } from './app.tsx'
import { AskStore } from './ask/store.ts'
import { Router, RouterContext } from './shell/route.ts'

/** A redraw at most this often while an answer arrives. */
const REDRAW_MS = 33

const send = (url: string, init: RequestInit) => fetch(url, { credentials: 'same-origin', ...init })
const house = openHouse(send)
const store = new AskStore({
  ask: (question, signal) => ask(send, question, signal),
  recall: (requestId) => house.recall(requestId),
  storage: sessionStorageOrNone(),
  nowMs: () => performance.now(),
  soon: (task) => setTimeout(task, REDRAW_MS),
})

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
createRoot(root).render(
  <RouterContext value={new Router(window)}>
    <App send={send} house={house} store={store} />
  </RouterContext>,
)

function sessionStorageOrNone(): Storage | undefined {
  try {
    return sessionStorage
  } catch {
    return undefined
  }
}
