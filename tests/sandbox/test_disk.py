"""The drive: real bytes in, the same bytes out."""

from __future__ import annotations

import base64

import pytest

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def call(portal, ask):
    return lambda method, params=None: ask(portal, f"disk.{method}", params).json()


@pytest.fixture
def root(call):
    (storage,) = call("storage.getList")["result"]
    return int(storage["ROOT_OBJECT_ID"])


def upload(call, folder_id, name="report.bin", content=CONTENT, **more):
    encoded = [name, base64.b64encode(content).decode()]
    return call("folder.uploadFile", {"id": folder_id, "data": {"NAME": name}, "fileContent": encoded, **more})


def test_a_file_comes_back_as_it_was_sent(call, root, http, portal):
    file = upload(call, root)["result"]
    assert file["SIZE"] == str(len(CONTENT))
    http.verify = portal.ca_file
    answer = http.get(file["DOWNLOAD_URL"], timeout=10)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert "report.bin" in answer.headers["content-disposition"]
    forged = http.get(file["DOWNLOAD_URL"].replace("auth=", "auth=0"), timeout=10)
    assert (forged.status_code, forged.json()["error"]) == (403, "ACCESS_DENIED")


def test_a_new_version_has_new_bytes_and_the_old_ones_stay(call, root, http, portal):
    file = upload(call, root)["result"]
    newer = {"id": file["ID"], "fileContent": ["report.bin", base64.b64encode(b"new").decode()]}
    assert call("file.uploadVersion", newer)["result"]["GLOBAL_CONTENT_VERSION"] == 2
    versions = call("file.getVersions", {"id": file["ID"]})["result"]
    http.verify = portal.ca_file
    contents = [http.get(version["DOWNLOAD_URL"], timeout=10).content for version in versions]
    assert contents == [b"new", CONTENT]


def test_folders_hold_files_and_go_with_them(call, root):
    folder = call("folder.addSubFolder", {"id": root, "data": {"NAME": "Reports"}})["result"]["ID"]
    assert call("folder.addSubFolder", {"id": root, "data": {"NAME": "Reports"}})["error"] == "DISK_OBJ_22000"
    first, second = upload(call, folder)["result"]["ID"], upload(call, folder, generateUniqueName=True)["result"]
    assert second["NAME"] == "report (1).bin"
    assert upload(call, folder)["error"] == "DISK_OBJ_22000"
    names = [row["NAME"] for row in call("folder.getChildren", {"id": folder, "order": {"NAME": "DESC"}})["result"]]
    assert names == ["report.bin", "report (1).bin"]
    found = call("folder.getChildren", {"id": folder, "filter": {"NAME": "%(1)%"}})["result"]
    assert [row["ID"] for row in found] == [str(second["ID"])]
    assert [row["ID"] for row in call("file.search", {"QUERY": "report.b"})["result"]] == [str(first)]
    assert call("file.rename", {"id": first, "newName": "final.bin"})["result"]["NAME"] == "final.bin"
    assert call("file.moveTo", {"id": first, "targetFolderId": root})["result"]["PARENT_ID"] == root
    copied = call("file.copyTo", {"id": first, "targetFolderId": folder})["result"]
    assert copied["SIZE"] == str(len(CONTENT))
    assert call("file.markDeleted", {"id": copied["ID"]})["result"]["DELETED_TYPE"] == "3"
    assert len(call("folder.getChildren", {"id": folder})["result"]) == 1
    assert call("folder.deleteTree", {"id": folder})["result"] is True
    assert call("file.get", {"id": second["ID"]})["error"] == "ERROR_NOT_FOUND"
    assert call("folder.deleteTree", {"id": root})["error"] == "DISK_OBJ_22000"


def test_files_of_the_drive_hang_on_comments_of_tasks(call, root, ask, portal):
    file_id = upload(call, root)["result"]["ID"]

    def comment(method, params):
        return ask(portal, f"task.commentitem.{method}", params).json()

    text = {"POST_MESSAGE": "See the report", "UF_FORUM_MESSAGE_DOC": [f"n{file_id}"]}
    first = comment("add", [1, text])["result"]
    second = comment("add", [1, {"POST_MESSAGE": "Done", "AUTHOR_ID": 7, "POST_DATE": "2025-07-15T14:30:00+03:00"}])[
        "result"
    ]
    assert comment("get", [1, first])["result"]["ATTACHED_OBJECTS"][str(file_id)]["NAME"] == "report.bin"
    rows = comment("getlist", [1, {"ID": "asc"}, {"AUTHOR_ID": 7}])["result"]
    assert [(row["ID"], row["POST_DATE"]) for row in rows] == [(str(second), "2025-07-15T14:30:00+03:00")]
    assert comment("update", [1, second, {"POST_MESSAGE": "Done twice"}])["result"] is True
    assert comment("get", [1, second])["result"]["POST_MESSAGE"] == "Done twice"
    assert comment("isactionallowed", [1, second, 2])["result"] is True
    assert comment("delete", [1, first])["result"] is True
    assert "ITEM_NOT_FOUND_OR_NOT_ACCESSIBLE" in comment("get", [1, first])["error_description"]
    gone = {"POST_MESSAGE": "x", "UF_FORUM_MESSAGE_DOC": ["n999"]}
    assert comment("add", [1, gone])["error_description"] == "File not found.<br>"


def test_a_file_may_be_sent_to_an_address(call, root, http, portal):
    http.verify = portal.ca_file
    given = call("folder.uploadFile", {"id": root})["result"]
    assert given["field"] == "file"
    sent = {given["field"]: ("sent.bin", CONTENT)}
    answer = http.post(given["uploadUrl"], files=sent, timeout=10)
    assert answer.status_code == 200
    file = answer.json()["result"]
    assert (file["NAME"], file["SIZE"], file["PARENT_ID"]) == ("sent.bin", str(len(CONTENT)), str(root))
    assert http.get(file["DOWNLOAD_URL"], timeout=10).content == CONTENT
    assert http.post(given["uploadUrl"], files=sent, timeout=10).json()["error"] == "DISK_OBJ_22000"

    announced = {"id": root, "data": {"NAME": "named.bin"}, "generateUniqueName": True}
    url = call("folder.uploadFile", announced)["result"]["uploadUrl"]
    names = [http.post(url, files=sent, timeout=10).json()["result"]["NAME"] for _ in range(2)]
    assert names == ["named.bin", "named (1).bin"]
    forged = http.post(url.replace("auth=", "auth=0"), files=sent, timeout=10)
    assert (forged.status_code, forged.json()["error"]) == (403, "ACCESS_DENIED")
    for nothing in ({"files": {"other": ("a.txt", b"x")}}, {"data": b"x"}):
        assert http.post(url, timeout=10, **nothing).json()["error"] == "ERROR_COULD_NOT_SAVE_FILE"
    # The address of a file that was announced opens none that is there.
    assert http.get(url.replace("/upload.json", "/download.json"), timeout=10).status_code == 403


def test_who_may_not_write_gets_no_address(root, ask, portal):
    answer = ask(portal, "disk.folder.uploadFile", {"id": root}, user=portal.clerk).json()
    assert answer["error"] == "ACCESS_DENIED"
