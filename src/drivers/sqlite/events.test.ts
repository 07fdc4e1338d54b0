import { durableEventsContract, eventsContract } from '../../store/contract/events.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

const open = temporary((store) => store.events)

eventsContract('sqlite', open)
durableEventsContract('sqlite', open)
