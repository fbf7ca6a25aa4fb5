// What @bitrix24/b24jssdk does with a portal: `node b24jssdk.mjs SCENARIO`, its settings as JSON on standard input.
// Prints as JSON what the SDK returned; the tests judge it.

import { text } from 'node:stream/consumers'
import { B24Hook, B24OAuth } from '@bitrix24/b24jssdk'

const input = JSON.parse(await text(process.stdin))

// Its own limit of two requests a second is real time, and no business of the portal here.
const unlimited = {
  restrictionParams: {
    rateLimit: { burstLimit: 1e6, drainRate: 1e6, adaptiveEnabled: false },
    adaptiveConfig: { enabled: false, thresholdPercent: 100, coefficient: 0.001, maxDelay: 1 }
  }
}
const hook = () => B24Hook.fromWebhookUrl(input.webhook, unlimited)

function oauth() {
  const { pair, application } = input
  const params = {
    applicationToken: '',
    userId: pair.user_id,
    memberId: pair.member_id,
    accessToken: pair.access_token,
    refreshToken: pair.refresh_token,
    expires: input.expires,
    expiresIn: pair.expires_in,
    scope: pair.scope,
    domain: pair.domain,
    clientEndpoint: pair.client_endpoint,
    serverEndpoint: pair.server_endpoint,
    status: pair.status
  }
  return new B24OAuth(params, { clientId: application.client_id, clientSecret: application.client_secret }, unlimited)
}

const outcome = (answer) => ({ success: answer.isSuccess, errors: answer.getErrorMessages() })
const deletions = () => input.payments.map((id) => ['crm.item.payment.delete', { id }])

const scenarios = {
  async call() {
    const answer = await hook().actions.v2.call.make({ method: input.method, params: input.params })
    return { ...outcome(answer), result: answer.isSuccess ? answer.getData().result : null }
  },
  async refusal() {
    try {
      const answer = await hook().actions.v2.call.make({ method: input.method, params: input.params })
      return outcome(answer)
    } catch (error) {
      return { success: false, code: error.code, status: error.status, errors: [error.message] }
    }
  },
  async v3() {
    const answer = await hook().actions.v3.call.make({ method: input.method, params: input.params })
    return { ...outcome(answer), result: answer.isSuccess ? answer.getData().result : null }
  },
  async callList() {
    const answer = await hook().actions.v2.callList.make(input.list)
    return { ...outcome(answer), ids: answer.getData().map((row) => Number(row[input.list.idKey])) }
  },
  async fetchList() {
    const ids = []
    for await (const rows of hook().actions.v2.fetchList.make(input.list)) {
      ids.push(...rows.map((row) => Number(row[input.list.idKey])))
    }
    return { ids }
  },
  async callListMethod() {
    const answer = await hook().callListMethod(input.list.method, input.list.params)
    return { ...outcome(answer), ids: answer.getData().map((row) => Number(row[input.list.idKey])) }
  },
  async pages() {
    const ids = []
    let answer = await hook().actions.v2.call.make({ method: input.list.method, params: input.list.params })
    const total = answer.getTotal()
    const http = hook().getHttpClient('v2')
    while (answer) {
      ids.push(...answer.getData().result.map((row) => Number(row[input.list.idKey])))
      answer = answer.isMore() ? await answer.getNext(http) : false
    }
    return { ids, total }
  },
  async batch() {
    const answer = await hook().actions.v2.batch.make({
      calls: input.calls,
      options: { isHaltOnError: false, returnAjaxResult: false }
    })
    return { ...outcome(answer), results: answer.getData() }
  },
  async batchByChunk() {
    const answer = await hook().actions.v2.batchByChunk.make({ calls: deletions(), options: { isHaltOnError: false } })
    return { ...outcome(answer), results: answer.getData() }
  },
  async renew() {
    const client = oauth()
    const renewed = []
    client.setCallbackRefreshAuth(async ({ authData }) => {
      renewed.push(authData)
    })
    const get = (id) => client.actions.v2.call.make({ method: 'crm.deal.get', params: { id } })
    const answers = input.together
      ? await Promise.all([get(1), get(2), get(3)])
      : [await get(1), await get(2), await get(3)]
    return { deals: answers.map((answer) => answer.getData().result.ID), renewed }
  }
}

console.log(JSON.stringify(await scenarios[process.argv[2]]()))
