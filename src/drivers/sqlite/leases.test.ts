import { leasesContract } from '../../store/contract/leases.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

leasesContract(
  'sqlite',
  temporary((store) => store.leases),
)
