import http from 'k6/http';
import { check, sleep } from 'k6';

// The webhook's answer is the canary's: a threshold that is crossed fails the check.
export const options = {
  vus: 2,
  duration: '30s',
  thresholds: {
    http_req_duration: ['p(95)<500'],
    http_req_failed: ['rate<0.01'],
    checks: ['rate>0.99'],
  },
};

export default function () {
  const answer = http.get(`http://${__ENV.TARGET}/`);
  check(answer, { 'is answered with 200': (answer) => answer.status === 200 });
  sleep(0.1);
}
