"""The admin calls that tests need, as plain HTTP."""

import json
import urllib.error
import urllib.request


class Follow(urllib.request.HTTPRedirectHandler):
    """One broker of several sends what concerns another's topics there; the method and the body go along."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if code != 307:
            return super().redirect_request(req, fp, code, msg, headers, newurl)
        return urllib.request.Request(newurl, req.data, dict(req.header_items()), method=req.get_method())


OPEN = urllib.request.build_opener(Follow).open


class Admin:
    def __init__(self, url, token=None):
        self.url = url
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def call(self, method, path, body=None):
        """Returns (headers, bytes) of the answer; an error of the broker is an HTTPError. A path that begins with / is
        none of the admin's."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}{path if path.startswith('/') else '/admin/v2/' + path}"
        request = urllib.request.Request(url, data=data, method=method, headers=self.headers)
        with OPEN(request, timeout=30) as answer:
            return answer.headers, answer.read()

    def get(self, path):
        _, body = self.call("GET", path)
        return json.loads(body)

    def put(self, path, body=None):
        self.call("PUT", path, body)

    def post(self, path, body=None):
        self.call("POST", path, body)

    def delete(self, path):
        self.call("DELETE", path)

    # By topic: persistent://tenant/namespace/name

    def create(self, topic):
        self.put(at(topic))

    def unload(self, topic):
        self.put(f"{at(topic)}/unload")

    def internal_stats(self, topic):
        return self.get(f"{at(topic)}/internalStats")

    def ledger_properties(self, topic):
        """What the broker keeps beside the list of ledgers: the topic epoch, the last index."""
        pairs = self.get(f"{at(topic)}/internal-info").get("properties", {})
        return pairs

    def stats(self, topic):
        return self.get(f"{at(topic)}/stats")

    def retention(self, topic, minutes, megabytes):
        policy = {"retentionTimeInMinutes": minutes, "retentionSizeInMB": megabytes}
        self.post(f"{at(topic)}/retention", policy)

    def entry(self, topic, ledger, entry):
        """(headers, payload) of a stored entry: the headers have its metadata, the payload is as a client wrote it."""
        return self.call("GET", f"{at(topic)}/ledger/{ledger}/entry/{entry}")


def at(topic):
    return topic.replace("://", "/")
